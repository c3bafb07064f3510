//! Somebody asks to be forgotten while they are being captioned.

use goobster_core::ids::UserId;
use tokio::sync::mpsc;

use super::*;
use crate::converse::room::live::{Order, attend};

/// How long a decode takes: longer than it takes to begin the next sentence.
const DECODE: Duration = Duration::from_secs(2);

struct Slowly(Hears);

impl SpeechToText for Slowly {
    fn recognise(&self, request: RecogniseRequest) -> PortFuture<'_, Result<Recognition, RecogniseError>> {
        Box::pin(async move {
            tokio::time::sleep(DECODE).await;
            self.0.recognise(request).await
        })
    }

    fn model(&self) -> &'static str {
        "one sentence, slowly"
    }

    fn knows(&self, language: Language) -> bool {
        self.0.knows(language)
    }
}

/// Two sentences of a second and a half, from 0 and 2.5 s; the captions, with an order between them.
async fn two_sentences(between: Option<Order>) -> Vec<(String, Moment, Moment)> {
    let dir = tempfile::tempdir().unwrap();
    let files = ["one", "two"].map(|name| recording(dir.path(), name, 1.5));
    let ada = Speaker::new("Ada".to_owned(), files.to_vec()).unwrap();
    let parts = RoomParts {
        pace: Pace::Real,
        ..parts(Slowly(Hears("I have a dream.")), BuiltIn::new())
    };
    let (orders, inbox) = mpsc::channel(4);
    let mut notes = Notes::default();
    let telling = async move {
        let sit = Order::Sit {
            who: UserId::new(1),
            source: Box::new(ada),
        };
        orders.send(sit).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2400)).await;
        if let Some(order) = between {
            orders.send(order).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
    };
    let (attended, ()) = tokio::join!(attend(parts, inbox, &mut notes), telling);
    attended.unwrap();
    notes.captions
}

#[tokio::test(start_paused = true)]
async fn what_is_being_recognised_is_not_captioned_and_what_they_say_next_is() {
    assert_eq!(two_sentences(None).await.len(), 2);
    let captions = two_sentences(Some(Order::Forget { who: UserId::new(1) })).await;
    let [(_, from, _)] = captions.as_slice() else {
        panic!("{captions:?}")
    };
    assert!(*from > Moment::from_millis(2300), "{from}");
    let captions = two_sentences(Some(Order::Forget { who: UserId::new(2) })).await;
    assert_eq!(captions.len(), 2, "nobody else is forgotten");
}
