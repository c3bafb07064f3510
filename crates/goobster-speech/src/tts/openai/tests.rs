//! The adapter against a server on this machine that answers as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers the nth request with the nth answer (the last one again and again); counts and keeps the requests.
async fn server(answers: Vec<Vec<u8>>) -> (Url, Arc<AtomicUsize>, Arc<std::sync::Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let (count, seen) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(std::sync::Mutex::new(String::new())),
    );
    let (counter, keeper) = (count.clone(), seen.clone());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let nth = counter.fetch_add(1, Ordering::SeqCst);
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // A small JSON body comes with or right after the head.
            while !request.ends_with(b"}") {
                match socket.read(&mut buffer).await {
                    Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
                    _ => break,
                }
            }
            *keeper.lock().unwrap() = String::from_utf8_lossy(&request).into_owned();
            let answer = &answers[nth.min(answers.len() - 1)];
            for part in answer.chunks(37) {
                if socket.write_all(part).await.is_err() {
                    break;
                }
            }
        }
    });
    (url, count, seen)
}

fn answer(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn pcm(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn request(text: &str) -> SpeakRequest {
    SpeakRequest {
        text: text.to_owned(),
        language: Language::ENGLISH,
        voice: None,
        abort: AbortFlag::new(),
    }
}

async fn hear(mut stream: SpeechStream) -> Result<Vec<f32>, SynthesiseError> {
    let mut all = Vec::new();
    while let Some(chunk) = stream.chunks.recv().await {
        all.extend(chunk?.samples);
    }
    Ok(all)
}

fn voice(base: Url) -> OpenAiVoice {
    OpenAiVoice::new(SpeechServer::new(base, "tts-1", "alloy")).unwrap()
}

#[tokio::test]
async fn pcm_is_streamed_whole_and_the_request_is_as_documented() {
    let samples: Vec<i16> = (0..500).map(|i| i * 64).collect();
    let (url, _, seen) = server(vec![answer("200 OK", "audio/pcm", &pcm(&samples))]).await;
    let mut server = SpeechServer::new(url, "tts-1", "alloy");
    server.api_key = Some("sesame".to_owned());
    let stream = OpenAiVoice::new(server)
        .unwrap()
        .speak(request("It is 5 pm."))
        .await
        .unwrap();
    assert_eq!((stream.rate, stream.voice.as_str()), (24_000, "openai-alloy"));
    let heard = hear(stream).await.unwrap();
    assert_eq!(
        heard,
        samples
            .iter()
            .map(|&s| f32::from(s) / 32_768.0)
            .collect::<Vec<_>>()
    );
    let seen = seen.lock().unwrap().clone();
    assert!(seen.starts_with("POST /v1/audio/speech "), "{seen}");
    assert!(
        seen.contains("authorization: Bearer sesame") && seen.contains("\"response_format\":\"pcm\""),
        "{seen}"
    );
}

#[tokio::test]
async fn a_wav_tells_its_own_rate() {
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(32_000_u32.to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data\xff\xff\xff\xff");
    wav.extend(pcm(&[16_384, -16_384]));
    let (url, ..) = server(vec![answer("200 OK", "audio/wav", &wav)]).await;
    let stream = voice(url).speak(request("Hello.")).await.unwrap();
    assert_eq!(stream.rate, 16_000);
    assert_eq!(hear(stream).await.unwrap(), [0.5, -0.5]);
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_and_then_given_up() {
    let busy = || answer("503 Service Unavailable", "text/plain", b"busy");
    let (url, count, _) = server(vec![busy(), answer("200 OK", "audio/pcm", &pcm(&[1, 2, 3, 4]))]).await;
    assert_eq!(
        hear(voice(url).speak(request("Hello.")).await.unwrap())
            .await
            .unwrap()
            .len(),
        4
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (url, count, _) = server(vec![busy()]).await;
    let error = voice(url).speak(request("Hello.")).await.unwrap_err().to_string();
    assert!(error.contains("503") && error.contains("busy"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_refusal_is_final_and_says_what_to_do() {
    let refusal = answer("401 Unauthorized", "application/json", b"{\"error\":\"no\"}");
    let (url, count, _) = server(vec![refusal]).await;
    let error = voice(url).speak(request("Hello.")).await.unwrap_err().to_string();
    assert!(error.contains("wants an API key and none is set"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nonsense_is_refused() {
    for (kind, body) in [
        ("application/json", &b"{}"[..]),
        ("audio/mpeg", b"ID3"),
        ("audio/wav", b"RIFFnonsense!"),
        ("audio/pcm", b""),
    ] {
        let (url, ..) = server(vec![answer("200 OK", kind, body)]).await;
        assert!(voice(url).speak(request("Hello.")).await.is_err(), "{kind}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_ends_with_an_error() {
    let mut cut = answer("200 OK", "audio/pcm", &pcm(&[5; 400]));
    cut.truncate(cut.len() - 200);
    let (url, ..) = server(vec![cut]).await;
    let stream = voice(url).speak(request("Hello.")).await.unwrap();
    let error = hear(stream).await.unwrap_err().to_string();
    assert!(error.contains("broke off"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_silent_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://user:secret@{}/v1", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let mut silent = SpeechServer::new(url.clone(), "m", "v");
    silent.patience = Duration::from_millis(50);
    let error = OpenAiVoice::new(silent)
        .unwrap()
        .speak(request("Hello."))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did not answer within") && !error.contains("secret"),
        "{error}"
    );
    drop(listener);
    let error = voice(url).speak(request("Hello.")).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for base in ["ftp://example.org/v1", "https://api.openai.com/v1"] {
        assert!(
            OpenAiVoice::new(SpeechServer::new(base.parse().unwrap(), "m", "v")).is_err(),
            "{base}"
        );
    }
}
