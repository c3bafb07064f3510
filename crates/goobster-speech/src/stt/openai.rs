//! Any server with OpenAI's `/v1/audio/transcriptions`: OpenAI itself, faster-whisper-server, vLLM, whisper.cpp's.
//!
//! The audio goes as a 16-bit WAV in a multipart form; the answer is read as `verbose_json` (segments, times,
//! probabilities) or as plain `json` from servers that know no more. Answers are gated like our own decodes, as far as
//! they carry figures.

mod answer;
mod retry;
mod wav;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, DecodeClass, LanguageChoice, PortFuture, RecogniseError, RecogniseRequest, Recognition,
    SPEECH_RATE, SpeechToText,
};
use goobster_network::http::Response;
use goobster_network::http::multipart::{Form, Part};
use goobster_network::{Client, ClientError, ClientOptions, Hosts, Network};
use tokio::sync::Semaphore;
use url::Url;

use self::retry::{Attempt, Backoff};

/// An answer larger than this is not a transcription of 30 s.
const MOST_ANSWER_BYTES: usize = 4 << 20;

/// How to reach a transcription server.
#[derive(Clone)]
pub struct OpenAiTranscriptionOptions {
    /// The server's base address, with or without `/v1`: `http://localhost:8000/v1`.
    pub url: String,
    /// The model to ask for: "whisper-1".
    pub model: String,
    /// The key, sent as a bearer token; never shown.
    pub api_key: Option<String>,
    /// How long one attempt may take, connecting included.
    pub timeout: Duration,
    /// Attempts for a final decode; partials and speculative decodes get one.
    pub attempts: u32,
    /// Requests at once.
    pub concurrency: usize,
    /// The language reported when the server names none.
    pub first_language: Language,
    /// Whom this program may contact.
    pub network: Network,
}

impl Default for OpenAiTranscriptionOptions {
    fn default() -> Self {
        Self {
            url: "https://api.openai.com/v1".into(),
            model: "whisper-1".into(),
            api_key: None,
            timeout: Duration::from_secs(30),
            attempts: 3,
            concurrency: 8,
            first_language: Language::ENGLISH,
            network: Network::Open,
        }
    }
}

impl fmt::Debug for OpenAiTranscriptionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiTranscriptionOptions")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("api_key", &self.api_key.as_ref().map(|_| "hidden"))
            .finish_non_exhaustive()
    }
}

/// Speech-to-text by a server.
#[derive(Debug)]
pub struct OpenAiRecogniser {
    client: Client,
    endpoint: Url,
    options: OpenAiTranscriptionOptions,
    backoff: Backoff,
    permits: Arc<Semaphore>,
}

impl OpenAiRecogniser {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`RecogniseError::Model`] when the address is not `http(s)`, or carries a password.
    pub fn new(options: OpenAiTranscriptionOptions) -> Result<Self, RecogniseError> {
        let endpoint = endpoint(&options.url)?;
        let engine = |error: ClientError| RecogniseError::Engine {
            what: "making the HTTP client".into(),
            cause: Some(error.into()),
        };
        let hosts = Hosts::of(options.network, "recogniser.url", &endpoint)
            .map_err(|refused| engine(refused.into()))?;
        let waits = ClientOptions {
            connect: Some(options.timeout.min(Duration::from_secs(5))),
            whole: Some(options.timeout),
            // A redirect would carry the key and the voice elsewhere.
            redirects: 0,
            ..ClientOptions::default()
        };
        let client = Client::new(hosts, waits).map_err(engine)?;
        let permits = Arc::new(Semaphore::new(options.concurrency.max(1)));
        Ok(Self {
            client,
            endpoint,
            options,
            backoff: Backoff::default(),
            permits,
        })
    }

    async fn transcribe(&self, request: &RecogniseRequest) -> Result<Recognition, RecogniseError> {
        let wav = wav::encode(&request.audio);
        let attempts = if request.class == DecodeClass::Final {
            self.options.attempts.max(1)
        } else {
            1
        };
        let mut verbose = true;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(request, wav.clone(), verbose).await {
                Ok(body) => return self.read(&body, request),
                Err(failure) => failure,
            };
            match failure {
                // A server that knows no `verbose_json` refuses with 400 and names it: plain JSON then, once.
                Attempt::Refused(ref what) if verbose && what.contains("verbose_json") => {
                    verbose = false;
                }
                Attempt::Retry { what, cause, after } if attempt < attempts => {
                    let pause = self.backoff.pause(attempt, after);
                    tracing::debug!(url = %self.endpoint, what, ?cause, ?pause, "transcription is tried again");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                Attempt::Retry { what, cause, .. } => {
                    let what = format!("{} {what} ({attempt} attempts)", self.endpoint);
                    return Err(RecogniseError::Engine { what, cause });
                }
                Attempt::Refused(what) => {
                    let what = format!("{} {what}", self.endpoint);
                    return Err(RecogniseError::Engine { what, cause: None });
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &RecogniseRequest,
        wav: Vec<u8>,
        verbose: bool,
    ) -> Result<Vec<u8>, Attempt> {
        let file = Part::bytes(wav)
            .file_name("speech.wav")
            .mime_str("audio/wav")
            .map_err(|error| Attempt::Refused(error.to_string()))?;
        let mut form = Form::new()
            .part("file", file)
            .text("model", self.options.model.clone())
            .text("response_format", if verbose { "verbose_json" } else { "json" })
            .text("temperature", "0");
        if let LanguageChoice::Fixed(language) = request.language {
            form = form.text("language", language.code().to_owned());
        }
        if let Some(prompt) = &request.prompt {
            form = form.text("prompt", prompt.clone());
        }
        let post = self.client.post(&self.endpoint);
        let mut post = post
            .map_err(|refused| Attempt::Refused(refused.to_string()))?
            .multipart(form);
        if let Some(key) = &self.options.api_key {
            post = post.bearer_auth(key);
        }
        let response = post
            .send()
            .await
            .map_err(|error| retry::of_error(error, self.options.timeout))?;
        let status = response.status();
        let after = retry::asked_pause(response.headers());
        let body = read_bounded(response, self.options.timeout).await?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(retry::of_status(
                status,
                after,
                &body,
                self.options.api_key.as_deref(),
            ))
        }
    }

    fn read(&self, body: &[u8], request: &RecogniseRequest) -> Result<Recognition, RecogniseError> {
        let clip = Duration::from_secs_f64(request.audio.len() as f64 / f64::from(SPEECH_RATE));
        let language = match request.language {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Detect => self.options.first_language,
        };
        answer::read(body, clip, language, request.prompt.as_deref()).map_err(|error| {
            RecogniseError::Engine {
                what: format!("{} answered something that is not a transcription", self.endpoint),
                cause: Some(error.into()),
            }
        })
    }
}

async fn read_bounded(mut response: Response, timeout: Duration) -> Result<Vec<u8>, Attempt> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| retry::of_error(error, timeout))?
    {
        if body.len() + chunk.len() > MOST_ANSWER_BYTES {
            return Err(Attempt::Refused(format!(
                "answered more than {MOST_ANSWER_BYTES} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn endpoint(base: &str) -> Result<Url, RecogniseError> {
    let wrong = |what: &str| RecogniseError::Model {
        what: format!("the speech server's address {what}: give one like http://localhost:8000/v1"),
        cause: None,
    };
    let mut url = Url::parse(base.trim()).map_err(|error| wrong(&format!("cannot be read ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is not http or https"));
    }
    // It would end up in every message.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not carry a name or password"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let path = match path.as_str() {
        whole if whole.ends_with("/audio/transcriptions") => whole.to_owned(),
        base if base.ends_with("/v1") => format!("{base}/audio/transcriptions"),
        base => format!("{base}/v1/audio/transcriptions"),
    };
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Resolves when the flag is raised; flags cannot wake, so it looks every 20 ms.
async fn raised(flag: &AbortFlag) {
    while !flag.is_raised() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl SpeechToText for OpenAiRecogniser {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        Box::pin(async move {
            if request.audio.len() > 30 * SPEECH_RATE as usize {
                return Err(RecogniseError::BadRequest(
                    "it lasts more than 30 s: split it".into(),
                ));
            }
            let work = async {
                // Partials are refreshed anyway: they do not queue.
                let permit = if request.class == DecodeClass::Partial {
                    self.permits
                        .try_acquire()
                        .map_err(|_| RecogniseError::Overloaded { waiting: 0 })?
                } else {
                    self.permits
                        .acquire()
                        .await
                        .map_err(|_| RecogniseError::Aborted)?
                };
                let answer = self.transcribe(&request).await;
                drop(permit);
                answer
            };
            tokio::select! {
                biased;
                () = raised(&request.abort) => Err(RecogniseError::Aborted),
                answer = work => answer,
            }
        })
    }

    fn model(&self) -> &str {
        &self.options.model
    }

    /// A server says what it knows only by refusing.
    fn knows(&self, _: Language) -> bool {
        true
    }
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_answer(body: &[u8], clip: Duration, language: Language) -> Result<Recognition, String> {
    answer::read(body, clip, language, Some("Goobster")).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
