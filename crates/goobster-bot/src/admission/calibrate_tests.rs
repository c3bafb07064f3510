//! The measurement with recognisers of a known pace, on paused time where that counts.

use goobster_audio::vad::EarshotDetector;
use goobster_core::ports::{PortFuture, RecogniserLoad, Recognition};

use super::*;

/// Takes this long for each decode, or fails.
struct Paced(Option<Duration>);

impl SpeechToText for Paced {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        Box::pin(async move {
            assert_eq!(request.audio.len(), 64_000);
            let Some(pace) = self.0 else {
                return Err(RecogniseError::Engine {
                    what: "broken".to_owned(),
                    cause: None,
                });
            };
            std::thread::sleep(pace);
            Ok(Recognition {
                segments: Vec::new(),
                language: Language::ENGLISH,
                no_speech: 0.5,
            })
        })
    }

    fn model(&self) -> &'static str {
        "paced"
    }

    fn knows(&self, _: Language) -> bool {
        true
    }

    fn load(&self) -> RecogniserLoad {
        RecogniserLoad {
            workers: 1,
            ..RecogniserLoad::default()
        }
    }
}

async fn measured(own: Paced, smaller: Option<Paced>) -> Result<Calibration, RecogniseError> {
    let smaller = smaller.as_ref().map(|it| it as &dyn SpeechToText);
    Calibration::measure(Some(&own), smaller, Box::new(EarshotDetector::new())).await
}

#[tokio::test]
async fn the_pace_of_a_recogniser_decides_how_many_it_bears() {
    let fast = Paced(Some(Duration::from_millis(20)));
    let slow = Paced(Some(Duration::from_millis(200)));
    let calibration = measured(slow, Some(fast)).await.unwrap();
    let (own, smaller) = (
        calibration.own.as_ref().unwrap(),
        calibration.smaller.as_ref().unwrap(),
    );
    assert!((0.2..0.3).contains(&own.decode_s), "{own:?}");
    // 1.5 * 0.2 s / 5 s of one worker, and a little for the sound: 8 at most.
    assert!((1..=8).contains(&own.speakers) && smaller.speakers > own.speakers);
    let seats = calibration.seats(&Admission::default());
    assert_eq!(seats.own, own.speakers as usize);
    assert_eq!(seats.smaller, smaller.speakers as usize);
    let set = Admission {
        speakers: Some(2),
        per_call: 1,
        ..Admission::default()
    };
    let seats = calibration.seats(&set);
    assert_eq!((seats.own, seats.smaller, seats.per_call), (2, 2, 1));
    assert!(
        calibration.words().contains("at once with paced"),
        "{}",
        calibration.words()
    );
}

#[tokio::test]
async fn too_slow_a_machine_is_measured_in_one_decode_and_keeps_a_seat() {
    let begun = Instant::now();
    let calibration = measured(Paced(Some(Duration::from_millis(1_700))), None)
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(calibration.own.as_ref().map(|own| own.speakers), Some(0));
    assert_eq!(calibration.fit(), Fit::Neither);
    assert_eq!(calibration.seats(&Admission::default()).own, 1);
}

#[tokio::test]
async fn a_recogniser_that_fails_is_told() {
    assert!(measured(Paced(None), None).await.is_err());
}

#[test]
fn the_clip_is_loud_enough_finite_and_always_the_same() {
    let clip = babble();
    assert_eq!(clip, babble());
    assert!(
        clip.iter()
            .all(|sample| sample.is_finite() && sample.abs() <= 0.9)
    );
    let power = clip.iter().map(|s| s * s).sum::<f32>() / clip.len() as f32;
    assert!(power.sqrt() > 0.02, "{}", power.sqrt());
}
