//! The recogniser with a smaller one beside it, which takes what is new when the machine is overloaded.

use std::sync::Arc;

use goobster_core::admission::Level;
use goobster_core::language::Language;
use goobster_core::ports::{
    LanguageChoice, PortFuture, RecogniseError, RecogniseRequest, RecogniserLoad, Recognition, SpeechToText,
};

use super::guard::Guard;

/// A recogniser, and perhaps a smaller one.
pub struct Hearing {
    own: Arc<dyn SpeechToText>,
    smaller: Option<Arc<dyn SpeechToText>>,
    guard: Arc<Guard>,
    /// The own one does not keep up with even one speaker: the smaller one hears whatever it can.
    smaller_first: bool,
}

impl Hearing {
    /// The recogniser that was asked for, with what takes over from it.
    pub fn new(
        own: Arc<dyn SpeechToText>,
        smaller: Option<Arc<dyn SpeechToText>>,
        guard: Arc<Guard>,
        smaller_first: bool,
    ) -> Self {
        Self {
            own,
            smaller,
            guard,
            smaller_first,
        }
    }

    /// Who hears this.
    fn who(&self, request: &RecogniseRequest) -> &dyn SpeechToText {
        let wanted = self.smaller_first || self.guard.level() >= Level::SmallerModel || self.own.load().down;
        let smaller = self.smaller.as_deref().filter(|smaller| {
            // A model that knows one language cannot tell which is spoken.
            let knows = match request.language {
                LanguageChoice::Fixed(language) => smaller.knows(language),
                LanguageChoice::Detect => false,
            };
            wanted && knows && !smaller.load().down
        });
        smaller.unwrap_or(self.own.as_ref())
    }
}

impl SpeechToText for Hearing {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        self.who(&request).recognise(request)
    }

    fn model(&self) -> &str {
        self.own.model()
    }

    fn knows(&self, language: Language) -> bool {
        self.own.knows(language)
    }

    fn waiting(&self) -> usize {
        self.own.waiting() + self.smaller.as_ref().map_or(0, |smaller| smaller.waiting())
    }

    fn load(&self) -> RecogniserLoad {
        let own = self.own.load();
        let Some(smaller) = self.smaller.as_ref().map(|smaller| smaller.load()) else {
            return own;
        };
        // Both share the cores: together they have the workers of one.
        RecogniserLoad {
            workers: own.workers.max(smaller.workers),
            waiting: own.waiting + smaller.waiting,
            urgent: own.urgent + smaller.urgent,
            longest_wait: own.longest_wait.max(smaller.longest_wait),
            busy: own.busy + smaller.busy,
            abandoned: own.abandoned + smaller.abandoned,
            down: own.down && smaller.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use goobster_core::ports::{AbortFlag, DecodeClass};

    use super::*;
    use crate::admission::guard::Seats;

    #[derive(Default)]
    struct Counts {
        heard: AtomicUsize,
        down: AtomicBool,
        english_only: bool,
    }

    impl SpeechToText for Counts {
        fn recognise(&self, _: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
            self.heard.fetch_add(1, Ordering::SeqCst);
            Box::pin(async {
                Ok(Recognition {
                    segments: Vec::new(),
                    language: Language::ENGLISH,
                    no_speech: 1.0,
                })
            })
        }

        fn model(&self) -> &'static str {
            "counts"
        }

        fn knows(&self, language: Language) -> bool {
            !self.english_only || language == Language::ENGLISH
        }

        fn load(&self) -> RecogniserLoad {
            RecogniserLoad {
                workers: 1,
                down: self.down.load(Ordering::SeqCst),
                ..RecogniserLoad::default()
            }
        }
    }

    fn request(language: LanguageChoice) -> RecogniseRequest {
        RecogniseRequest {
            audio: Arc::from(vec![0.1; 1600]),
            language,
            class: DecodeClass::Final,
            source: 1,
            prompt: None,
            abort: AbortFlag::new(),
        }
    }

    #[tokio::test]
    async fn the_smaller_model_takes_what_is_new_while_its_rung_holds() {
        let (own, small) = (
            Arc::new(Counts::default()),
            Arc::new(Counts {
                english_only: true,
                ..Counts::default()
            }),
        );
        let guard = Guard::new(Seats {
            own: 1,
            smaller: 2,
            per_call: 4,
        });
        let hearing = Hearing::new(own.clone(), Some(small.clone()), Arc::clone(&guard), false);
        let english = LanguageChoice::Fixed(Language::ENGLISH);
        let german = LanguageChoice::Fixed("de".parse().unwrap());
        let heard = |of: &Counts| of.heard.load(Ordering::SeqCst);
        hearing.recognise(request(english)).await.unwrap();
        guard.set_level(Level::NoPartials);
        hearing.recognise(request(english)).await.unwrap();
        assert_eq!((heard(&own), heard(&small)), (2, 0));
        guard.set_level(Level::SmallerModel);
        hearing.recognise(request(english)).await.unwrap();
        assert_eq!((heard(&own), heard(&small)), (2, 1));
        // What it does not know stays where it was.
        hearing.recognise(request(german)).await.unwrap();
        hearing.recognise(request(LanguageChoice::Detect)).await.unwrap();
        assert_eq!((heard(&own), heard(&small)), (4, 1));
        guard.set_level(Level::Full);
        hearing.recognise(request(english)).await.unwrap();
        assert_eq!((heard(&own), heard(&small)), (5, 1));
        // And when the other hangs.
        own.down.store(true, Ordering::SeqCst);
        hearing.recognise(request(english)).await.unwrap();
        assert_eq!((heard(&own), heard(&small)), (5, 2));
        assert!(!hearing.load().down);
        small.down.store(true, Ordering::SeqCst);
        assert!(hearing.load().down);
    }
}
