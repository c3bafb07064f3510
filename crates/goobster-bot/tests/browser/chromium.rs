//! A headless Chromium, driven by the `DevTools` protocol over one WebSocket.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take that a browser does in a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// The browser on this machine.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// A page in a browser of its own.
pub(crate) struct Page {
    child: Child,
    _profile: tempfile::TempDir,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    last: u64,
    /// Dialogs that were asked and answered with yes.
    pub(crate) dialogs: Vec<String>,
    /// What the page complained of: errors of its script, and what its policy forbade.
    pub(crate) complaints: Vec<String>,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    /// Opens an address.
    pub(crate) async fn open(program: &std::path::Path, address: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"])
            // A test runs as whoever it runs as; the page is our own.
            .arg("--no-sandbox")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env_remove("HTTPS_PROXY")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (found, address_of) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut found = Some(found);
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("DevTools listening on ")
                    && let Some(found) = found.take()
                {
                    let _ = found.send(url.trim().to_owned());
                }
            }
        });
        let url = timeout(PATIENCE, address_of)
            .await
            .expect("Chromium starts")
            .unwrap();
        let (socket, _) = connect_async(url).await.unwrap();
        let mut page = Self {
            child,
            _profile: profile,
            socket,
            session: String::new(),
            last: 0,
            dialogs: Vec::new(),
            complaints: Vec::new(),
        };
        let target = page
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attached = page
            .call(
                "Target.attachToTarget",
                json!({ "targetId": target["targetId"], "flatten": true }),
            )
            .await;
        page.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await;
        }
        page.call("Page.navigate", json!({ "url": address })).await;
        page.until("document.readyState === 'complete'").await;
        page
    }

    /// Calls a method of the protocol, and gives its result.
    pub(crate) async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let next = timeout(left, self.socket.next()).await;
            let next = next.unwrap_or_else(|_| panic!("{method} is not answered"));
            let Message::Text(text) = next.expect("Chromium is there").unwrap() else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.happened(&message).await;
        }
    }

    async fn happened(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Page.javascriptDialogOpening") => {
                self.dialogs
                    .push(parameters["message"].as_str().unwrap_or_default().to_owned());
                self.last += 1;
                let yes = json!({
                    "id": self.last, "method": "Page.handleJavaScriptDialog", "params": { "accept": true },
                    "sessionId": self.session,
                });
                self.socket.send(Message::text(yes.to_string())).await.unwrap();
            }
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(parameters["exceptionDetails"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["source"] == "security" => {
                self.complaints.push(parameters["entry"]["text"].to_string());
            }
            _ => {}
        }
    }

    /// What an expression of JavaScript gives; promises are awaited.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", parameters).await;
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression:.80}: {}",
            result["exceptionDetails"]
        );
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.evaluate(expression).await != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "never: {expression}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types a text where the focus is.
    pub(crate) async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key.
    pub(crate) async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            " " => (32, " "),
            other => panic!("no key {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": if key == " " { "Space" } else { key }, "windowsVirtualKeyCode": code,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Looks as a screen of this width would, light or dark.
    pub(crate) async fn look(&mut self, width: u32, dark: bool) {
        let (height, phone) = if width < 600 { (844, true) } else { (900, false) };
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone }),
        )
        .await;
        let scheme = if dark { "dark" } else { "light" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        )
        .await;
    }

    /// The whole page as PNG.
    pub(crate) async fn screenshot(&mut self) -> Vec<u8> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.call("Page.captureScreenshot", parameters).await;
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(shot["data"].as_str().unwrap()).unwrap()
    }
}
