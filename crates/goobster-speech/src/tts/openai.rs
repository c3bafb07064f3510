//! A server that speaks OpenAI's `/v1/audio/speech`: a cloud, or a model on the local network.

use std::fmt;
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, PcmChunk, PortFuture, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice,
    VoiceQuality,
};
use goobster_network::http::{self, Response, StatusCode};
use goobster_network::{Client, ClientOptions, Hosts, Network};
use tokio::sync::mpsc;
use url::Url;

use super::failure::{engine_error, voice_error};
use super::wav;

/// Samples a second of `response_format: "pcm"`, as OpenAI documents it, in hertz.
const PCM_RATE: u32 = 24_000;
/// Longest text that the protocol allows, in characters.
const MAX_CHARS: usize = 4096;
/// A server that sends more than ten minutes of speech for one text is broken, in bytes.
const MAX_BYTES: usize = 600 * 2 * 48_000;
/// Chunks a listener may be behind.
const CHUNKS_AHEAD: usize = 4;
/// Waits before the second and the third try.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Redirects that are followed, to the same host alone.
const REDIRECTS: usize = 3;
/// The part of an error's body that is shown.
const SHOWN: usize = 200;
/// Languages that OpenAI's voices speak well enough to be chosen for them.
const LANGUAGES: [&str; 24] = [
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "no", "fi", "cs", "sk", "hu", "ro", "el",
    "tr", "ru", "uk", "ja", "ko", "zh", "ar",
];

/// Where the server is and what to ask it for.
#[derive(Clone)]
pub struct SpeechServer {
    /// The address before `/audio/speech`, such as `http://localhost:8880/v1`.
    pub base: Url,
    /// The model: "tts-1", "kokoro".
    pub model: String,
    /// The voice: "alloy".
    pub voice: String,
    /// The key, if the server wants one.
    pub api_key: Option<String>,
    /// How long to wait for the first bytes, and between two.
    pub patience: Duration,
    /// Whom this program may contact.
    pub network: Network,
}

impl fmt::Debug for SpeechServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechServer")
            .field("base", &shown(&self.base))
            .field("model", &self.model)
            .field("voice", &self.voice)
            .field("api_key", &self.api_key.as_ref().map(|_| "(hidden)"))
            .finish_non_exhaustive()
    }
}

impl SpeechServer {
    /// A server without a key, waited for at most 15 s.
    pub fn new(base: Url, model: impl Into<String>, voice: impl Into<String>) -> Self {
        Self {
            base,
            model: model.into(),
            voice: voice.into(),
            api_key: None,
            patience: Duration::from_secs(15),
            network: Network::Open,
        }
    }
}

/// The server as a synthesiser.
#[derive(Debug)]
pub struct OpenAiVoice {
    server: SpeechServer,
    endpoint: Url,
    client: Client,
}

impl OpenAiVoice {
    /// Checks the settings; nothing is sent yet.
    pub fn new(server: SpeechServer) -> Result<Self, SynthesiseError> {
        let mut endpoint = server.base.clone();
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(voice_error(format!(
                "{} is no http(s) address of a speech server",
                shown(&endpoint)
            )));
        }
        if endpoint.host_str() == Some("api.openai.com") && server.api_key.is_none() {
            return Err(voice_error(
                "OpenAI's speech server needs an API key and none is set".to_owned(),
            ));
        }
        endpoint
            .path_segments_mut()
            .map_err(|()| voice_error("the speech server's address has no path".to_owned()))?
            .pop_if_empty()
            .extend(["audio", "speech"]);
        let hosts = Hosts::of(server.network, "synthesiser.url", &endpoint)
            .map_err(|refused| voice_error(refused.to_string()))?;
        let options = ClientOptions {
            connect: Some(Duration::from_secs(5)),
            read: Some(server.patience),
            redirects: REDIRECTS,
            ..ClientOptions::default()
        };
        let client = Client::new(hosts, options).map_err(|e| SynthesiseError::Engine {
            what: "no HTTP client".to_owned(),
            cause: Some(Box::new(e)),
        })?;
        Ok(Self {
            server,
            endpoint,
            client,
        })
    }

    async fn begin(&self, request: SpeakRequest) -> Result<SpeechStream, SynthesiseError> {
        let voice = request.voice.as_deref().filter(|name| *name != self.name());
        let voice = voice.map_or(self.server.voice.clone(), |name| {
            name.strip_prefix("openai-").unwrap_or(name).to_owned()
        });
        let text = crate::normalise::for_speech(&request.text, request.language);
        if !text.chars().any(char::is_alphanumeric) {
            return Err(SynthesiseError::NothingToSay);
        }
        if text.chars().count() > MAX_CHARS {
            return Err(engine_error(format!(
                "a text of more than {MAX_CHARS} characters cannot be spoken at once"
            )));
        }
        let body = serde_json::json!({
            "model": self.server.model,
            "voice": voice,
            "input": text,
            "response_format": "pcm",
        });
        let response = self.ask(&body, &request.abort).await?;
        let (rate, channels, first, response) = self.first_bytes(response).await?;
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let url = shown(&self.endpoint);
        tokio::spawn(pass_on(response, first, channels, chunks, request.abort, url));
        Ok(SpeechStream {
            rate,
            voice: format!("openai-{voice}"),
            notice: None,
            chunks: receiver,
        })
    }

    fn name(&self) -> String {
        format!("openai-{}", self.server.voice)
    }

    /// Asks, up to three times while the server is unreachable, overloaded or broken; refusals are final.
    async fn ask(&self, body: &serde_json::Value, abort: &AbortFlag) -> Result<Response, SynthesiseError> {
        let mut waits = BACK_OFF.iter();
        loop {
            let error = match self.ask_once(body).await {
                Ok(response) => return Ok(response),
                Err((true, error)) => error,
                Err((false, error)) => return Err(error),
            };
            let Some(&wait) = waits.next() else {
                return Err(error);
            };
            tracing::debug!(%error, "the speech server is asked again");
            tokio::time::sleep(wait).await;
            if abort.is_raised() {
                return Err(SynthesiseError::Aborted);
            }
        }
    }

    /// One try; the flag says whether another may help.
    async fn ask_once(&self, body: &serde_json::Value) -> Result<Response, (bool, SynthesiseError)> {
        let ask = self.client.post(&self.endpoint);
        let mut ask = ask
            .map_err(|refused| (false, voice_error(refused.to_string())))?
            .json(body);
        if let Some(key) = &self.server.api_key {
            ask = ask.bearer_auth(key);
        }
        let url = shown(&self.endpoint);
        let response = ask.send().await.map_err(|e| {
            let what = if e.is_timeout() {
                format!(
                    "the speech server at {url} did not answer within {:?}",
                    self.server.patience
                )
            } else {
                format!("the speech server at {url} cannot be reached")
            };
            (
                true,
                SynthesiseError::Engine {
                    what,
                    cause: Some(Box::new(e.without_url())),
                },
            )
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let advice = match (status, self.server.api_key.is_some()) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, false) => {
                " (it wants an API key and none is set)"
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true) => " (it does not accept the API key)",
            (StatusCode::NOT_FOUND, _) => " (is the address right, and the model there?)",
            _ => "",
        };
        let said = start_of_body(response).await;
        Err((
            again,
            engine_error(format!(
                "the speech server at {url} answered {status}{advice}: {said}"
            )),
        ))
    }

    /// Reads until the form of the samples is known: rate, channels, samples read so far, the rest.
    async fn first_bytes(
        &self,
        mut response: Response,
    ) -> Result<(u32, u16, Vec<u8>, Response), SynthesiseError> {
        let url = shown(&self.endpoint);
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
            .to_owned();
        if kind.contains("json") || kind.contains("text/") || kind.contains("mpeg") || kind.contains("ogg") {
            return Err(engine_error(format!(
                "the speech server at {url} sent '{kind}' instead of PCM or WAV"
            )));
        }
        let mut bytes = Vec::new();
        loop {
            let more = response.chunk().await.map_err(|e| cut_off(&url, e))?;
            let Some(more) = more else {
                return Err(engine_error(format!("the speech server at {url} sent no speech")));
            };
            bytes.extend_from_slice(&more);
            if bytes.len() >= 4 && !bytes.starts_with(b"RIFF") {
                return Ok((PCM_RATE, 1, bytes, response));
            }
            let head = wav::head(&bytes).map_err(|what| {
                engine_error(format!(
                    "the speech server at {url} sent a WAV that cannot be read: {what}"
                ))
            });
            if bytes.len() >= 4
                && let Some(head) = head?
            {
                bytes.drain(..head.data_at);
                return Ok((head.rate, head.channels, bytes, response));
            }
        }
    }
}

impl TextToSpeech for OpenAiVoice {
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(self.begin(request))
    }

    fn voices(&self) -> Vec<Voice> {
        LANGUAGES
            .iter()
            .filter_map(|code| {
                let language: Language = code.parse().ok()?;
                Some(Voice {
                    name: self.name(),
                    language,
                    quality: VoiceQuality::Neural,
                    engine: "openai",
                })
            })
            .collect()
    }
}

/// Turns bytes into samples as they come.
async fn pass_on(
    mut response: Response,
    mut bytes: Vec<u8>,
    channels: u16,
    listener: mpsc::Sender<Result<PcmChunk, SynthesiseError>>,
    abort: AbortFlag,
    url: String,
) {
    let mut total = bytes.len();
    let frame = 2 * usize::from(channels.max(1));
    loop {
        let whole = bytes.len() - bytes.len() % frame;
        if whole > 0 {
            let samples = wav::samples(&bytes[..whole], channels);
            bytes.drain(..whole);
            if listener.send(Ok(PcmChunk { samples })).await.is_err() {
                return;
            }
        }
        let more = tokio::select! {
            more = response.chunk() => more,
            () = listener.closed() => return,
        };
        let failed = match more {
            Ok(None) => return,
            Ok(Some(_)) if abort.is_raised() => SynthesiseError::Aborted,
            Ok(Some(more)) => {
                total += more.len();
                bytes.extend_from_slice(&more);
                if total <= MAX_BYTES {
                    continue;
                }
                engine_error(format!(
                    "the speech server at {url} sent more than {MAX_BYTES} bytes for one text"
                ))
            }
            Err(e) => cut_off(&url, e),
        };
        // The listener may have gone; then nobody needs the error.
        let _ = listener.send(Err(failed)).await;
        return;
    }
}

fn cut_off(url: &str, e: http::Error) -> SynthesiseError {
    SynthesiseError::Engine {
        what: format!("the speech server at {url} broke off"),
        cause: Some(Box::new(e.without_url())),
    }
}

/// The address without what may be secret.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The start of what a server says about an error, on one line.
async fn start_of_body(mut response: Response) -> String {
    let mut body = Vec::new();
    while body.len() < SHOWN
        && let Ok(Some(more)) = response.chunk().await
    {
        body.extend_from_slice(&more);
    }
    let text = String::from_utf8_lossy(&body);
    text.chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
