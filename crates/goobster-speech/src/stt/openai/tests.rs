//! The adapter against a server of our own on a local socket.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server does with each connection, in order; the last is repeated.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Status(u16, &'static str),
    RetryAfter(u16, u64),
    HangUp,
    Silence,
}

#[derive(Debug)]
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn serve(replies: &'static [Reply]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((mut socket, _)) = listener.accept().await else {
                return;
            };
            let request = read_request(&mut socket).await;
            seen.lock().unwrap().push(request);
            match replies[number.min(replies.len() - 1)] {
                Reply::Status(status, body) => answer(&mut socket, status, "", body).await,
                Reply::RetryAfter(status, after) => {
                    answer(&mut socket, status, &format!("Retry-After: {after}\r\n"), "").await;
                }
                Reply::HangUp => drop(socket),
                Reply::Silence => tokio::time::sleep(Duration::from_mins(1)).await,
            }
        }
    });
    Server { url, requests }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length: usize = text[..head]
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .map_or(0, |n| n.trim().parse().unwrap());
            let raw_head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            if bytes.len() >= raw_head + 4 + length {
                return text;
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn answer(socket: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(head.as_bytes()).await;
    let _ = socket.write_all(body.as_bytes()).await;
    let _ = socket.shutdown().await;
}

fn recogniser(server: &Server) -> OpenAiRecogniser {
    let mut recogniser = OpenAiRecogniser::new(OpenAiTranscriptionOptions {
        url: server.url.clone(),
        api_key: Some("sk-secret".into()),
        timeout: Duration::from_millis(1500),
        ..Default::default()
    })
    .unwrap();
    recogniser.backoff = Backoff {
        first: Duration::from_millis(5),
    };
    recogniser
}

fn request(class: DecodeClass) -> RecogniseRequest {
    RecogniseRequest {
        audio: Arc::from(vec![0.1; 16_000]),
        language: LanguageChoice::Fixed(Language::ENGLISH),
        class,
        source: 1,
        prompt: Some("Goobster".into()),
        abort: AbortFlag::new(),
    }
}

const HELLO: Reply = Reply::Status(200, r#"{"text": "Hello there."}"#);

#[tokio::test]
async fn a_clip_goes_up_as_a_wav_with_its_settings_and_comes_back_as_text() {
    let server = serve(&[HELLO]).await;
    let heard = recogniser(&server)
        .recognise(request(DecodeClass::Final))
        .await
        .unwrap();
    assert_eq!(heard.text(), "Hello there.");
    let requests = server.requests.lock().unwrap();
    let sent = &requests[0];
    assert!(
        sent.starts_with("POST /v1/audio/transcriptions HTTP/1.1"),
        "{}",
        &sent[..60]
    );
    for part in [
        "RIFF",
        "WAVEfmt",
        "whisper-1",
        "verbose_json",
        "Goobster",
        "speech.wav",
        "Bearer sk-secret",
    ] {
        assert!(sent.contains(part), "{part}");
    }
}

#[tokio::test]
async fn passing_failures_are_tried_again_for_a_final() {
    let server = serve(&[Reply::Status(503, ""), Reply::HangUp, HELLO]).await;
    assert_eq!(
        recogniser(&server)
            .recognise(request(DecodeClass::Final))
            .await
            .unwrap()
            .text(),
        "Hello there."
    );
    assert_eq!(server.requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn attempts_are_bounded_and_a_partial_has_one() {
    for (class, attempts) in [(DecodeClass::Final, 3), (DecodeClass::Partial, 1)] {
        let server = serve(&[Reply::Status(500, r#"{"error":{"message":"out of memory"}}"#)]).await;
        let error = recogniser(&server)
            .recognise(request(class))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("500") && error.contains("out of memory") && error.contains(&server.url),
            "{error}"
        );
        assert_eq!(server.requests.lock().unwrap().len(), attempts);
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_keeps_the_key_secret() {
    let server = serve(&[Reply::Status(401, r#"{"error":{"message":"bad key sk-secret"}}"#)]).await;
    let recogniser = recogniser(&server);
    let error = recogniser
        .recognise(request(DecodeClass::Final))
        .await
        .unwrap_err();
    let told = format!("{error} {error:?} {recogniser:?}");
    assert!(told.contains("check the API key"), "{told}");
    assert!(!told.contains("sk-secret"), "{told}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_long_pause_asked_for_is_an_error_at_once() {
    let server = serve(&[Reply::RetryAfter(429, 3600)]).await;
    let error = recogniser(&server)
        .recognise(request(DecodeClass::Final))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("too many requests"), "{error}");
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_without_verbose_answers_is_asked_plainly() {
    let server = serve(&[
        Reply::Status(400, r#"{"error":{"message":"verbose_json is not supported"}}"#),
        HELLO,
    ])
    .await;
    assert_eq!(
        recogniser(&server)
            .recognise(request(DecodeClass::Partial))
            .await
            .unwrap()
            .text(),
        "Hello there."
    );
    assert!(server.requests.lock().unwrap()[1].contains("\r\n\r\njson\r\n"));
}

#[tokio::test]
async fn silence_times_out_and_the_message_says_how_long() {
    let server = serve(&[Reply::Silence]).await;
    let error = recogniser(&server)
        .recognise(request(DecodeClass::Partial))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("did not answer within"), "{error}");
}

#[tokio::test]
async fn the_abort_flag_ends_a_request_under_way() {
    let server = serve(&[Reply::Silence]).await;
    let recogniser = recogniser(&server);
    let request = request(DecodeClass::Final);
    let abort = request.abort.clone();
    let raise = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        abort.raise();
    };
    let (answer, ()) = tokio::join!(recogniser.recognise(request), raise);
    assert!(matches!(answer, Err(RecogniseError::Aborted)), "{answer:?}");
}

#[tokio::test]
async fn nonsense_and_a_dead_server_are_named() {
    let server = serve(&[Reply::Status(200, "<html>login</html>")]).await;
    let error = recogniser(&server)
        .recognise(request(DecodeClass::Partial))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a transcription"), "{error}");

    // A port that was just freed: nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = Server {
        url: format!("http://{free}"),
        requests: Arc::default(),
    };
    let error = recogniser(&dead)
        .recognise(request(DecodeClass::Final))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot be reached") && error.contains("3 attempts"),
        "{error}"
    );
}

#[test]
fn addresses_are_completed_and_bad_ones_refused() {
    for (given, expected) in [
        (
            "http://localhost:8000",
            "http://localhost:8000/v1/audio/transcriptions",
        ),
        (
            "http://localhost:8000/v1/",
            "http://localhost:8000/v1/audio/transcriptions",
        ),
        (
            "https://x.example/openai/v1?key=1",
            "https://x.example/openai/v1/audio/transcriptions",
        ),
        (
            "http://x.example/v1/audio/transcriptions",
            "http://x.example/v1/audio/transcriptions",
        ),
    ] {
        assert_eq!(endpoint(given).unwrap().as_str(), expected);
    }
    for bad in [
        "localhost:8000",
        "ftp://x.example",
        "",
        "http://user:pass@x.example",
    ] {
        let error = endpoint(bad).unwrap_err().to_string();
        assert!(
            error.contains("http://localhost:8000/v1") && !error.contains("pass@"),
            "{error}"
        );
    }
}
