//! More people than seats, and parts that panic.

use goobster_core::admission::Level;
use goobster_core::ports::{DecodeClass, ReplyStream, RespondError, RespondRequest};

use super::*;
use crate::admission::guard::Seats;

/// What came of people talking at once, each for so many seconds, with so many seats.
async fn crowd(seats: usize, people: &[(&str, f32)]) -> (Notes, Arc<Guard>) {
    let dir = tempfile::tempdir().unwrap();
    let speakers = people.iter().map(|(name, seconds)| {
        Speaker::new((*name).to_owned(), vec![recording(dir.path(), name, *seconds)]).unwrap()
    });
    let guard = Guard::new(Seats {
        own: seats,
        smaller: seats,
        per_call: 9,
    });
    let parts = RoomParts {
        guard: Arc::clone(&guard),
        ..parts(Hears("I have a dream."), BuiltIn::new())
    };
    let mut notes = Notes::default();
    hold(parts, speakers.collect(), &mut notes).await.unwrap();
    (notes, guard)
}

fn captioned(notes: &Notes) -> Vec<&str> {
    notes.captions.iter().map(|(name, ..)| name.as_str()).collect()
}

#[tokio::test]
async fn whoever_finds_no_seat_is_told_and_the_others_are_captioned() {
    // Cleo has long finished when the others' words are captioned, however fast they are decoded.
    let (notes, guard) = crowd(2, &[("Ann", 4.0), ("Ben", 4.0), ("Cleo", 1.5)]).await;
    assert_eq!(captioned(&notes), ["Ann", "Ben"]);
    assert_eq!(
        notes.troubles,
        ["Cleo was not heard: more than 2 people talked at once"]
    );
    // Every seat is free again.
    assert_eq!((guard.taken().taken, guard.taken().waiting), (0, 0));
}

#[tokio::test]
async fn who_gets_a_seat_late_is_captioned_from_the_first_word() {
    let (notes, _) = crowd(1, &[("Ann", 1.5), ("Ben", 6.0)]).await;
    assert_eq!(captioned(&notes), ["Ann", "Ben"]);
    assert!(notes.troubles.is_empty(), "{:?}", notes.troubles);
    let (_, from, upto) = &notes.captions[1];
    assert!(upto.since(*from) > Duration::from_millis(5_700), "{from} {upto}");
}

#[tokio::test]
async fn with_seats_for_all_nobody_is_left_out() {
    let (notes, _) = crowd(3, &[("Ann", 1.5), ("Ben", 1.5), ("Cleo", 1.5)]).await;
    assert_eq!(captioned(&notes), ["Ann", "Ben", "Cleo"]);
    assert!(notes.troubles.is_empty(), "{:?}", notes.troubles);
}

#[tokio::test]
async fn under_load_captions_come_without_growing() {
    let dir = tempfile::tempdir().unwrap();
    let classes = Arc::new(Mutex::new(Vec::new()));
    for level in [Level::Full, Level::NoPartials] {
        let parts = parts(Classes(Arc::clone(&classes)), BuiltIn::new());
        parts.guard.set_level(level);
        let speaker = Speaker::new("Ann".to_owned(), vec![recording(dir.path(), "ann", 4.0)]).unwrap();
        hold(parts, vec![speaker], &mut Notes::default()).await.unwrap();
        let asked = std::mem::take(&mut *classes.lock().unwrap());
        let partials = asked.contains(&DecodeClass::Partial);
        assert_eq!(partials, level == Level::Full, "{asked:?}");
        assert!(asked.iter().any(|class| *class != DecodeClass::Partial));
    }
}

/// Notes what it is asked for.
struct Classes(Arc<Mutex<Vec<DecodeClass>>>);

impl SpeechToText for Classes {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        self.0.lock().unwrap().push(request.class);
        Box::pin(async { Hears("words").recognise(request).await })
    }
    fn model(&self) -> &'static str {
        "classes"
    }
    fn knows(&self, _: Language) -> bool {
        true
    }
}

/// Panics at everything.
struct Panics;

impl SpeechToText for Panics {
    fn recognise(&self, _: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        Box::pin(async { panic!("scripted") })
    }
    fn model(&self) -> &'static str {
        "panics"
    }
    fn knows(&self, _: Language) -> bool {
        true
    }
}

impl Responder for Panics {
    fn respond(&self, _: RespondRequest) -> PortFuture<'_, Result<ReplyStream, RespondError>> {
        panic!("scripted")
    }
    fn name(&self) -> String {
        "panics".to_owned()
    }
}

impl TextToSpeech for Panics {
    fn speak(&self, _: SpeakRequest) -> PortFuture<'_, Result<SpeechStream, SynthesiseError>> {
        Box::pin(async { panic!("scripted") })
    }
    fn voices(&self) -> Vec<Voice> {
        Vec::new()
    }
}

#[tokio::test]
async fn parts_that_panic_fail_their_turn_and_the_conversation_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let speak = || {
        let file = recording(dir.path(), "ann", 1.5);
        vec![Speaker::new("Ann".to_owned(), vec![file.clone(), file]).unwrap()]
    };
    let mut notes = Notes::default();
    let deaf = parts(Panics, BuiltIn::new());
    let guard = Arc::clone(&deaf.guard);
    let outcome = hold(deaf, speak(), &mut notes).await.unwrap();
    assert_eq!(outcome.troubles.hearing, 2, "{:?}", notes.troubles);
    assert!(
        notes.troubles[0].contains("panicked: scripted"),
        "{:?}",
        notes.troubles
    );
    assert_eq!(guard.taken().taken, 0);

    let mut notes = Notes::default();
    let outcome = hold(parts(Hears("What time is it?"), Panics), speak(), &mut notes)
        .await
        .unwrap();
    assert_eq!(outcome.troubles.brain, 2, "{:?}", notes.troubles);
    assert_eq!(captioned(&notes), ["Ann", "Ann"]);

    let mut notes = Notes::default();
    let mute = RoomParts {
        throat: Throat::Samples(Arc::new(Panics), None),
        ..parts(Hears("What time is it?"), BuiltIn::new())
    };
    let outcome = hold(mute, speak(), &mut notes).await.unwrap();
    assert!(outcome.troubles.voice >= 2, "{:?}", notes.troubles);
    assert_eq!(captioned(&notes), ["Ann", "Ann"]);
}
