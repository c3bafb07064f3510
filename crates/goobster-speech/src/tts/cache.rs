//! A bounded memory of what was spoken: greetings, errors and timers are heard at once the second time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goobster_core::language::Language;
use goobster_core::ports::{
    AbortFlag, PcmChunk, PortFuture, SpeakRequest, SpeechStream, SynthesiseError, TextToSpeech, Voice,
};
use tokio::sync::mpsc;

/// Chunks a listener may be behind, as in the engines.
const CHUNKS_AHEAD: usize = 4;
/// One utterance may take at most this part of the cache, so that a long one does not drive all others out.
const LARGEST_SHARE: usize = 4;

/// What makes two requests the same speech. A voice's name is unique among the engines behind one cache, so it stands
/// for the engine too; no name is the engines' own choice for the language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    voice: Option<String>,
    language: Language,
    /// Normalised for speaking: "5 pm" and "five p m" are the same speech.
    text: String,
}

#[derive(Debug)]
struct Spoken {
    rate: u32,
    voice: String,
    chunks: Vec<PcmChunk>,
}

impl Spoken {
    /// Bytes of memory, roughly: samples and text.
    fn bytes(&self, key: &Key) -> usize {
        let samples: usize = self.chunks.iter().map(|chunk| chunk.samples.len()).sum();
        samples * size_of::<f32>() + self.chunks.len() * size_of::<PcmChunk>() + 2 * key.text.len() + 200
    }
}

/// How the cache does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Requests answered from memory.
    pub hits: u64,
    /// Requests that were synthesised.
    pub misses: u64,
    /// Utterances held.
    pub entries: usize,
    /// Bytes held, at most the bound.
    pub bytes: usize,
}

/// The least-recently-used store: pure, no clock.
#[derive(Debug)]
struct Store {
    max_bytes: usize,
    bytes: usize,
    entries: HashMap<Key, (u64, Arc<Spoken>)>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    hits: u64,
    misses: u64,
}

impl Store {
    fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            hits: 0,
            misses: 0,
        }
    }

    fn get(&mut self, key: &Key) -> Option<Arc<Spoken>> {
        let Some((stamp, spoken)) = self.entries.get_mut(key) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        self.uses += 1;
        if let Some(key) = self.by_use.remove(stamp) {
            self.by_use.insert(self.uses, key);
        }
        *stamp = self.uses;
        Some(spoken.clone())
    }

    fn put(&mut self, key: Key, spoken: Spoken) {
        let size = spoken.bytes(&key);
        if size > self.max_bytes / LARGEST_SHARE || self.entries.contains_key(&key) {
            return;
        }
        while self.bytes + size > self.max_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                return;
            };
            if let Some((_, gone)) = self.entries.remove(&oldest) {
                self.bytes -= gone.bytes(&oldest);
            }
        }
        self.uses += 1;
        self.bytes += size;
        self.by_use.insert(self.uses, key.clone());
        self.entries.insert(key, (self.uses, Arc::new(spoken)));
    }
}

/// A synthesiser that remembers what `inner` spoke. Only utterances that were heard to their end are kept, and none
/// that came with a notice: a stand-in must not outlive the failure it stood in for.
#[derive(Debug)]
pub struct SpeechCache<T> {
    inner: T,
    store: Arc<Mutex<Store>>,
}

impl<T: TextToSpeech> SpeechCache<T> {
    /// Wraps a synthesiser; at most `max_bytes` of speech are kept (one second of 22.05 kHz takes 88 KB).
    pub fn new(inner: T, max_bytes: usize) -> Self {
        Self {
            inner,
            store: Arc::new(Mutex::new(Store::new(max_bytes))),
        }
    }

    /// How the cache does so far.
    pub fn stats(&self) -> CacheStats {
        let store = lock(&self.store);
        CacheStats {
            hits: store.hits,
            misses: store.misses,
            entries: store.entries.len(),
            bytes: store.bytes,
        }
    }

    async fn begin(&self, request: SpeakRequest) -> Result<SpeechStream, SynthesiseError> {
        let key = Key {
            voice: request.voice.clone(),
            language: request.language,
            text: crate::normalise::for_speech(&request.text, request.language),
        };
        let known = lock(&self.store).get(&key);
        if let Some(spoken) = known {
            return Ok(replay(&spoken, request.abort));
        }
        let abort = request.abort.clone();
        let mut stream = self.inner.speak(request).await?;
        if stream.notice.is_some() {
            return Ok(stream);
        }
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let source = std::mem::replace(&mut stream.chunks, receiver);
        let spoken = Spoken {
            rate: stream.rate,
            voice: stream.voice.clone(),
            chunks: Vec::new(),
        };
        let limit = lock(&self.store).max_bytes / LARGEST_SHARE;
        tokio::spawn(remember(
            source,
            chunks,
            key,
            spoken,
            limit,
            abort,
            self.store.clone(),
        ));
        Ok(stream)
    }
}

impl<T: TextToSpeech> TextToSpeech for SpeechCache<T> {
    fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(self.begin(request))
    }

    fn voices(&self) -> Vec<Voice> {
        self.inner.voices()
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    // Each operation leaves the store whole, so a panic elsewhere cannot have broken it.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays a remembered utterance, chunk by chunk as the listener takes them.
fn replay(spoken: &Arc<Spoken>, abort: AbortFlag) -> SpeechStream {
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let stream = SpeechStream {
        rate: spoken.rate,
        voice: spoken.voice.clone(),
        notice: None,
        chunks: receiver,
    };
    let spoken = spoken.clone();
    tokio::spawn(async move {
        for chunk in &spoken.chunks {
            let chunk = if abort.is_raised() {
                Err(SynthesiseError::Aborted)
            } else {
                Ok(chunk.clone())
            };
            let ended = chunk.is_err();
            if chunks.send(chunk).await.is_err() || ended {
                return;
            }
        }
    });
    stream
}

/// Passes chunks on and keeps a copy; stores it when the utterance is complete.
async fn remember(
    mut source: mpsc::Receiver<Result<PcmChunk, SynthesiseError>>,
    listener: mpsc::Sender<Result<PcmChunk, SynthesiseError>>,
    key: Key,
    mut spoken: Spoken,
    limit: usize,
    abort: AbortFlag,
    store: Arc<Mutex<Store>>,
) {
    let mut fits = true;
    loop {
        let chunk = tokio::select! {
            chunk = source.recv() => chunk,
            () = listener.closed() => return,
        };
        match chunk {
            None => break,
            Some(Err(error)) => {
                // The listener may have gone; then nobody needs the error.
                let _ = listener.send(Err(error)).await;
                return;
            }
            Some(Ok(chunk)) => {
                if fits {
                    spoken.chunks.push(chunk.clone());
                    fits = spoken.bytes(&key) <= limit;
                    if !fits {
                        spoken.chunks = Vec::new();
                    }
                }
                if listener.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
        }
    }
    if fits && !spoken.chunks.is_empty() && !abort.is_raised() {
        lock(&store).put(key, spoken);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Speaks one chunk of a constant a word; the word "fail" fails.
    #[derive(Default)]
    struct Words {
        spoken: AtomicUsize,
        notice: Option<String>,
    }

    impl TextToSpeech for Words {
        fn speak(&self, request: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
            self.spoken.fetch_add(1, Ordering::SeqCst);
            let (sender, chunks) = mpsc::channel(64);
            for word in request.text.split(' ') {
                let chunk = match word {
                    "fail" => Err(SynthesiseError::Engine {
                        what: "as asked".to_owned(),
                        cause: None,
                    }),
                    _ => Ok(PcmChunk {
                        samples: vec![0.1; 100],
                    }),
                };
                sender.try_send(chunk).unwrap();
            }
            let notice = self.notice.clone();
            Box::pin(async move {
                Ok(SpeechStream {
                    rate: 8000,
                    voice: "words".to_owned(),
                    notice,
                    chunks,
                })
            })
        }

        fn voices(&self) -> Vec<Voice> {
            Vec::new()
        }
    }

    fn request(text: &str) -> SpeakRequest {
        SpeakRequest {
            text: text.to_owned(),
            language: Language::ENGLISH,
            voice: None,
            abort: AbortFlag::new(),
        }
    }

    async fn hear<T: TextToSpeech>(tts: &T, request: SpeakRequest) -> (usize, bool) {
        let mut stream = tts.speak(request).await.unwrap();
        let (mut samples, mut failed) = (0, false);
        while let Some(chunk) = stream.chunks.recv().await {
            match chunk {
                Ok(chunk) => samples += chunk.samples.len(),
                Err(_) => failed = true,
            }
        }
        (samples, failed)
    }

    #[tokio::test]
    async fn the_second_time_comes_from_memory_and_sounds_the_same() {
        let cache = SpeechCache::new(Words::default(), 1 << 20);
        assert_eq!(hear(&cache, request("one two three")).await, (300, false));
        assert_eq!(hear(&cache, request("one two  three")).await, (300, false));
        assert_eq!(cache.inner.spoken.load(Ordering::SeqCst), 1);
        assert_eq!((cache.stats().hits, cache.stats().misses), (1, 1));
    }

    #[tokio::test]
    async fn broken_aborted_and_abandoned_utterances_are_not_kept() {
        let cache = SpeechCache::new(Words::default(), 1 << 20);
        assert_eq!(hear(&cache, request("one fail two")).await, (100, true));
        let aborted = request("four five");
        aborted.abort.raise();
        hear(&cache, aborted).await;
        let mut stream = cache.speak(request("a b c d e f g h i j k l m n")).await.unwrap();
        stream.chunks.recv().await.unwrap().unwrap();
        drop(stream);
        tokio::task::yield_now().await;
        assert_eq!(cache.stats().entries, 0);
    }

    #[tokio::test]
    async fn a_stand_in_is_not_kept() {
        let words = Words {
            notice: Some("espeak-ng stands in".to_owned()),
            ..Words::default()
        };
        let cache = SpeechCache::new(words, 1 << 20);
        hear(&cache, request("one")).await;
        assert_eq!(cache.stats().entries, 0);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let key = |text: &str| Key {
            voice: None,
            language: Language::ENGLISH,
            text: text.to_owned(),
        };
        let spoken = || Spoken {
            rate: 1,
            voice: String::new(),
            chunks: vec![PcmChunk {
                samples: vec![0.0; 1000],
            }],
        };
        let mut store = Store::new(20_000);
        for text in ["a", "b", "c", "d"] {
            store.put(key(text), spoken());
        }
        assert!(store.get(&key("a")).is_some());
        store.put(key("e"), spoken());
        assert!(store.get(&key("a")).is_some() && store.get(&key("b")).is_none());
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_the_sum_is_true(puts in prop::collection::vec((0u8..20, 0usize..2000), 0..60)) {
            let mut store = Store::new(20_000);
            for (name, samples) in puts {
                let key = Key { voice: None, language: Language::ENGLISH, text: name.to_string() };
                if name % 3 == 0 {
                    store.get(&key);
                }
                let chunks = vec![PcmChunk { samples: vec![0.0; samples] }];
                store.put(key, Spoken { rate: 1, voice: String::new(), chunks });
                prop_assert!(store.bytes <= 20_000);
                let sum: usize = store.entries.iter().map(|(key, (_, spoken))| spoken.bytes(key)).sum();
                prop_assert_eq!(sum, store.bytes);
                prop_assert_eq!(store.by_use.len(), store.entries.len());
            }
        }
    }
}
