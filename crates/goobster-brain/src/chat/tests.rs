//! A real server on a local socket, with every fault a server can have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, Exchange, ReplyPiece, RespondError, RespondRequest, Responder, Utterance,
};
use goobster_core::time::UtcMillis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server does with one connection, after it has read the request.
#[derive(Clone)]
enum Then {
    /// Sends bytes, pausing between the portions, and closes.
    Send(Vec<Vec<u8>>, Duration),
    /// Says nothing and keeps the connection.
    Hang,
    /// Sends bytes and then keeps the connection.
    SendAndHang(Vec<u8>),
}

struct Local {
    url: String,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
    closed: Arc<AtomicUsize>,
}

/// Serves one `Then` a connection, the last one for all further connections.
async fn serve(script: Vec<Then>) -> Local {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
    let closed = Arc::new(AtomicUsize::new(0));
    let local = Local {
        url,
        requests: Arc::clone(&requests),
        closed: Arc::clone(&closed),
    };
    tokio::spawn(async move {
        let mut served = 0;
        while let Ok((socket, _)) = listener.accept().await {
            let then = script[served.min(script.len() - 1)].clone();
            served += 1;
            let (requests, closed) = (Arc::clone(&requests), Arc::clone(&closed));
            tokio::spawn(async move {
                let mut socket = socket;
                let request = read_request(&mut socket).await;
                requests.lock().unwrap().push(request);
                match then {
                    Then::Send(portions, pause) => {
                        for portion in portions {
                            if socket.write_all(&portion).await.is_err() {
                                break;
                            }
                            socket.flush().await.unwrap();
                            tokio::time::sleep(pause).await;
                        }
                    }
                    Then::Hang => {
                        let _ = socket.read(&mut [0; 16]).await;
                    }
                    Then::SendAndHang(bytes) => {
                        socket.write_all(&bytes).await.unwrap();
                        let _ = socket.read(&mut [0; 16]).await;
                    }
                }
                closed.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    local
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text
            .to_lowercase()
            .lines()
            .find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if let (Some(length), Some(head)) = (length, text.find("\r\n\r\n"))
            && bytes.len() >= head + 4 + length
        {
            return text;
        }
        if count == 0 {
            return text;
        }
    }
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn delta(text: &str) -> String {
    format!(
        "data: {}\n\n",
        serde_json::json!({ "choices": [{ "delta": { "content": text }, "finish_reason": null }] })
    )
}

fn streamed(texts: &[&str]) -> String {
    texts
        .iter()
        .map(|text| delta(text))
        .fold(STREAM.to_owned(), |all, event| all + &event)
        + "data: [DONE]\n\n"
}

fn at_once(text: impl Into<Vec<u8>>) -> Then {
    Then::Send(vec![text.into()], Duration::ZERO)
}

fn status(line: &str, headers: &str, body: &str) -> Then {
    at_once(format!(
        "HTTP/1.1 {line}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn config(url: &str) -> ChatConfig {
    ChatConfig {
        first_token: Duration::from_millis(700),
        idle: Duration::from_millis(400),
        back_off: Duration::from_millis(10),
        ..ChatConfig::new(url, "test-model")
    }
}

fn request() -> RespondRequest {
    let said = |speaker: &str, text: &str| Utterance {
        speaker: speaker.into(),
        text: text.into(),
        at: UtcMillis::new(0),
    };
    RespondRequest {
        turn: said("Ada", "And today?"),
        history: vec![Exchange {
            said: said("Ada", "Hello."),
            reply: Some("Hi.".into()),
        }],
        language: Language::ENGLISH,
        wake_name: "Goobster".into(),
        limits: None,
        seed: 1,
        abort: AbortFlag::new(),
    }
}

/// Everything a server's script gives: the text, and the error if there was one.
async fn ask(config: ChatConfig) -> (String, Option<RespondError>) {
    let mut stream = OpenAiChat::new(config).unwrap().respond(request()).await.unwrap();
    let mut text = String::new();
    while let Some(piece) = stream.recv().await {
        match piece {
            Ok(ReplyPiece::Text(more)) => text += &more,
            Ok(other) => panic!("{other:?}"),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

#[tokio::test]
async fn a_stream_in_odd_portions_is_joined_and_thoughts_are_left_out() {
    let all = streamed(&["<think>", "hm</thi", "nk>\n\nIt is ", "caf\u{e9} time", "."]);
    for size in [1, 3, 7, 50] {
        let portions = all.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        let server = serve(vec![Then::Send(portions, Duration::ZERO)]).await;
        let (text, error) = ask(config(&server.url)).await;
        assert_eq!(
            (text.as_str(), error.is_none()),
            ("It is caf\u{e9} time.", true),
            "portions of {size}: {error:?}"
        );
    }
}

#[tokio::test]
async fn the_request_holds_the_prompt_the_history_the_turn_and_the_key() {
    let server = serve(vec![at_once(streamed(&["Yes."]))]).await;
    let mut config = config(&server.url);
    config.api_key = Some(ApiKey::new("sk-secret"));
    assert!(!format!("{:?}", OpenAiChat::new(config.clone()).unwrap()).contains("sk-secret"));
    assert_eq!(ask(config).await.0, "Yes.");
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.to_lowercase().contains("authorization: bearer sk-secret"),
        "{request}"
    );
    let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        (&body["model"], &body["stream"]),
        (&"test-model".into(), &true.into())
    );
    let roles: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    assert!(
        body["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("You are Goobster")
    );
    assert_eq!(body["messages"][3]["content"], "Ada: And today?");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"<think>x</think> Hello."},"finish_reason":"stop"}]}"#;
    let server = serve(vec![status("200 OK", "content-type: application/json\r\n", body)]).await;
    let (text, error) = ask(config(&server.url)).await;
    assert_eq!((text.as_str(), error.is_none()), ("Hello.", true));
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_a_silent_one_is_not() {
    let portions = vec![
        STREAM.as_bytes().to_vec(),
        delta("Slow").into_bytes(),
        b"data: [DONE]\n\n".to_vec(),
    ];
    let server = serve(vec![Then::Send(portions, Duration::from_millis(150))]).await;
    assert_eq!(ask(config(&server.url)).await.0, "Slow");

    for then in [Then::Hang, Then::SendAndHang(STREAM.into())] {
        let server = serve(vec![then]).await;
        let begun = Instant::now();
        let (_, error) = ask(config(&server.url)).await;
        assert!(
            matches!(error, Some(RespondError::TimedOut { waited, .. }) if waited.as_millis() == 700),
            "{error:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
    let server = serve(vec![Then::SendAndHang(
        (STREAM.to_owned() + &delta("Half")).into_bytes(),
    )])
    .await;
    let (text, error) = ask(config(&server.url)).await;
    assert_eq!(text, "Half");
    assert!(
        matches!(error, Some(RespondError::TimedOut { waited, .. }) if waited.as_millis() == 400),
        "{error:?}"
    );
}

/// The first portions, and then one portion many times over.
fn for_ever(first: &str, again: &str, pause: u64) -> Then {
    let portions = std::iter::once(first.to_owned()).chain(std::iter::repeat_n(again.to_owned(), 200));
    Then::Send(
        portions.map(String::into_bytes).collect(),
        Duration::from_millis(pause),
    )
}

#[tokio::test]
async fn only_words_keep_a_reply_waiting() {
    let empty = delta("");
    let usage = "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n";
    for noise in [
        ": keep-alive\n\n",
        "\n",
        "event: ping\ndata: {}\n\n",
        &empty,
        usage,
    ] {
        for (said, bound) in [("", 700), ("Half", 400)] {
            let first = if said.is_empty() {
                String::new()
            } else {
                delta(said)
            };
            let server = serve(vec![for_ever(&(STREAM.to_owned() + &first), noise, 50)]).await;
            let begun = Instant::now();
            let (text, error) = ask(config(&server.url)).await;
            assert_eq!(text, said);
            assert!(
                matches!(error, Some(RespondError::TimedOut { waited, .. }) if waited.as_millis() == bound),
                "{noise:?} after {said:?}: {error:?}"
            );
            assert!(
                begun.elapsed() < Duration::from_secs(3),
                "{noise:?} after {said:?}"
            );
        }
    }
}

#[tokio::test]
async fn thoughts_in_a_field_of_their_own_are_waited_for_and_not_told() {
    for field in ["reasoning", "reasoning_content"] {
        let thought =
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"\",\"{field}\":\"hm\"}}}}]}}\n\n");
        let portions = std::iter::once(STREAM.to_owned())
            .chain(std::iter::repeat_n(thought, 12))
            .chain([delta("Yes.") + "data: [DONE]\n\n"]);
        let portions = portions.map(String::into_bytes).collect();
        let server = serve(vec![Then::Send(portions, Duration::from_millis(80))]).await;
        let (text, error) = ask(config(&server.url)).await;
        assert_eq!(
            (text.as_str(), error.is_none()),
            ("Yes.", true),
            "{field}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_reply_that_never_ends_is_ended() {
    let server = serve(vec![for_ever(STREAM, &delta("and "), 50)]).await;
    let mut config = config(&server.url);
    config.reply = Duration::from_millis(900);
    let begun = Instant::now();
    let (text, error) = ask(config).await;
    assert!(text.starts_with("and and "), "{text}");
    assert!(
        matches!(error, Some(RespondError::TimedOut { waited, .. }) if waited.as_millis() == 900),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn refusals_are_told_apart_and_only_some_are_tried_again() {
    let ok = at_once(streamed(&["Fine."]));
    for (then, tries, expected) in [
        (
            status("429 Too Many Requests", "retry-after: 0\r\n", "{}"),
            2,
            None,
        ),
        (status("503 Service Unavailable", "", "loading"), 2, None),
        (
            status(
                "401 Unauthorized",
                "",
                r#"{"error":{"message":"bad key sk-secret"}}"#,
            ),
            1,
            Some("bad key (the key)"),
        ),
        (
            status("404 Not Found", "", r#"{"error":"model 'x' not found"}"#),
            1,
            Some("model 'x' not found"),
        ),
    ] {
        let server = serve(vec![then, ok.clone()]).await;
        let mut config = config(&server.url);
        config.api_key = Some(ApiKey::new("sk-secret"));
        let (text, error) = ask(config).await;
        assert_eq!(server.requests.lock().unwrap().len(), tries);
        match expected {
            None => assert_eq!((text.as_str(), error.is_none()), ("Fine.", true), "{error:?}"),
            Some(what) => assert!(error.as_ref().unwrap().to_string().contains(what), "{error:?}"),
        }
    }
    let server = serve(vec![status("500 Internal Server Error", "", "no\nluck")]).await;
    let (_, error) = ask(config(&server.url)).await;
    assert!(
        error
            .unwrap()
            .to_string()
            .contains("500 Internal Server Error: no luck")
    );
    assert_eq!(server.requests.lock().unwrap().len(), 3, "bounded");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_tried_again_once_words_were_given() {
    let server = serve(vec![at_once(STREAM.to_owned() + &delta("Half a"))]).await;
    let (text, error) = ask(config(&server.url)).await;
    assert_eq!(text, "Half a");
    assert!(matches!(error, Some(RespondError::BadAnswer { .. })), "{error:?}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
    // Before the first word a second try harms nobody.
    let server = serve(vec![at_once(STREAM), at_once(streamed(&["Whole."]))]).await;
    assert_eq!(ask(config(&server.url)).await.0, "Whole.");
}

#[tokio::test]
async fn garbage_and_endless_lines_are_bad_answers() {
    for bytes in [
        format!("{STREAM}data: <html>\n\n").into_bytes(),
        format!("{STREAM}data: {}\n\n", "x".repeat(400_000)).into_bytes(),
        format!("{STREAM}data: {{\"error\":{{\"message\":\"out of memory\"}}}}\n\n").into_bytes(),
        [STREAM.as_bytes(), b"data: \xff\xfe\n\n"].concat(),
    ] {
        let server = serve(vec![at_once(bytes)]).await;
        let (text, error) = ask(config(&server.url)).await;
        assert!(
            text.is_empty() && matches!(error, Some(RespondError::BadAnswer { .. })),
            "{error:?}"
        );
    }
    let server = serve(vec![at_once(b"\0\0\0 not http at all\r\n\r\n".to_vec())]).await;
    assert!(ask(config(&server.url)).await.1.is_some());
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_, error) = ask(config(&url)).await;
    assert!(
        matches!(&error, Some(RespondError::Unreachable { url: shown, .. }) if *shown == url),
        "{error:?}"
    );
}

#[tokio::test]
async fn abort_and_dropping_the_stream_close_the_connection() {
    for drop_it in [false, true] {
        let server = serve(vec![Then::SendAndHang(
            (STREAM.to_owned() + &delta("Wait")).into_bytes(),
        )])
        .await;
        let mut config = config(&server.url);
        config.idle = Duration::from_mins(1);
        let request = request();
        let abort = request.abort.clone();
        let mut stream = OpenAiChat::new(config).unwrap().respond(request).await.unwrap();
        assert!(matches!(stream.recv().await, Some(Ok(ReplyPiece::Text(text))) if text == "Wait"));
        if drop_it {
            drop(stream);
        } else {
            abort.raise();
            assert!(matches!(stream.recv().await, Some(Err(RespondError::Aborted))));
            assert!(stream.recv().await.is_none());
        }
        let begun = Instant::now();
        while server.closed.load(Ordering::SeqCst) == 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "the connection stays open"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn wrong_settings_are_refused_at_once() {
    for config in [
        ChatConfig::new("localhost", "m"),
        ChatConfig::new("http://localhost", " "),
    ] {
        assert!(matches!(
            OpenAiChat::new(config),
            Err(RespondError::Configuration(_))
        ));
    }
    let mut config = ChatConfig::new("http://localhost", "m");
    config.api_key = Some(ApiKey::new("two\nlines"));
    assert!(matches!(
        OpenAiChat::new(config),
        Err(RespondError::Configuration(_))
    ));
}
