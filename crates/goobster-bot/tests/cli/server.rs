//! A server of this process that answers as it is told: a recogniser, a voice or a chat server that misbehaves.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

/// Starts a server; `answer` gets the number of the request, from zero, and gives a status and a JSON body. It lives as
/// long as the process.
pub(crate) fn start(answer: impl Fn(usize) -> (u16, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let (status, body) = answer(number);
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    format!("http://{address}/v1")
}

/// What a transcription server answers.
pub(crate) fn transcription(text: &str) -> (u16, String) {
    (
        200,
        serde_json::json!({ "language": "en", "text": text }).to_string(),
    )
}
