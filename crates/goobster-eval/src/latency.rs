//! Latency: turns of a real conversation at the pace of speech, in the standard profile.
//!
//! The recordings are single sentences. Their end of speech is marked from their energy before anything is played; the
//! first audible sample of a reply counts when it is handed to the output. Two conversations are held: with the built-in
//! responder, whose few answers the speech cache soon knows, and with one that never says the same sentence twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use goobster_bot::cli::exit::Failure;
use goobster_bot::config::Profile;
use goobster_bot::converse::command;
use goobster_bot::converse::room::{self, Pace};
use goobster_bot::converse::speakers::Speaker;
use goobster_bot::converse::turnbook::Percentiles;
use goobster_bot::converse::witness::{FinalCaption, PartialCaption, Reply, TurnEnd, Witness};
use goobster_bot::engines::Engines;
use goobster_core::conversation::ReplyId;
use goobster_core::ids::TurnId;
use goobster_core::ports::{PortFuture, ReplyPiece, ReplyStream, RespondError, RespondRequest, Responder};
use goobster_core::time::Moment;
use goobster_models::{Cache, speech_clips};
use tokio::sync::mpsc;

use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// Holds two conversations of at least `turns` turns and reports where the time went.
pub(crate) async fn measure(turns: usize, speakers: usize, report: &mut Report) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if speakers > 1 {
        return together(turns, speakers, report).await;
    }
    let Held {
        spans, count, book, ..
    } = converse(turns, 1, None).await?;
    let first = format!(
        "Standard profile, {cores} cores, {count} turns of a conversation at the pace of speech with the built-in responder. \
         Its answers are few, so that most are in the speech cache. End of speech is the last voiced 20 ms, marked \
         beforehand.\n\n{spans}"
    );
    let Held { spans, count, .. } = converse(turns, 1, Some(Arc::new(Fresh::default()))).await?;
    let body = format!(
        "{first}\n\nThe same with {count} turns and a responder that answers at once, with a sentence of a dozen words that was \
         never said before: nothing comes out of the cache.\n\n{spans}\n\nThe turns of the first conversation:\n\n{book}"
    );
    report.section("Latency", &body)
}

/// One speaker, then two at once, up to `speakers`: each says the same sentences, the others a different one at a time.
async fn together(turns: usize, speakers: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for speaking in 1..=speakers {
        let held = converse(turns, speaking, None).await?;
        let ms = |pick: fn(Percentiles) -> u64| {
            held.captions
                .map_or_else(|| "-".to_owned(), |p| format!("{} ms", pick(p)))
        };
        rows.push([
            speaking.to_string(),
            held.count.to_string(),
            ms(|p| p.p50),
            ms(|p| p.p95),
        ]);
    }
    let body = format!(
        "End of speech -> final caption, when so many speak at once at the pace of speech, {turns} sentences each.\n\n{}",
        table(["speakers", "turns", "p50", "p95"], rows)
    );
    report.section("Latency with several speakers", &body)
}

/// Answers at once, and never with the same sentence twice.
#[derive(Default)]
struct Fresh {
    turns: AtomicU64,
}

impl Responder for Fresh {
    fn respond(&self, _: RespondRequest) -> PortFuture<'_, Result<ReplyStream, RespondError>> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            let (send, stream) = mpsc::channel(1);
            let text = format!("That was turn number {turn}, and every word of it came through.");
            let _ = send.send(Ok(ReplyPiece::Text(text))).await;
            Ok(stream)
        })
    }

    fn name(&self) -> String {
        "fresh sentences".to_owned()
    }
}

/// A conversation that was held.
struct Held {
    /// Its spans as a table.
    spans: String,
    /// How many turns were captioned.
    count: usize,
    /// Its turns as a table.
    book: String,
    /// End of speech to final caption.
    captions: Option<Percentiles>,
}

/// Holds one conversation of so many speakers, each with so many sentences.
async fn converse(
    turns: usize,
    speakers: usize,
    responder: Option<Arc<dyn Responder>>,
) -> anyhow::Result<Held> {
    let speech = Cache::locate()?.root().join("speech");
    let clips = speech_clips()?;
    // The tape of jfk.wav is loud to its last sample: it has no end of speech to mark, and its pauses are turns.
    let single: Vec<PathBuf> = clips
        .iter()
        .filter(|clip| clip.file != "jfk.wav")
        .map(|clip| speech.join(&clip.file))
        .collect();
    let config = config(Profile::Standard);
    let engines = Engines::new(&config, false, quiet());
    let mut parts = command::parts(&engines, &config, Pace::Real)?;
    parts.responder = responder.unwrap_or(parts.responder);
    let mut guests = Vec::new();
    for number in 0..speakers {
        // Each begins elsewhere in the list: nobody echoes another.
        let from = number * single.len() / speakers;
        let playlist: Vec<PathBuf> = single.iter().cycle().skip(from).take(turns).cloned().collect();
        let name = if number == 0 {
            "Guest".to_owned()
        } else {
            format!("Guest {}", number + 1)
        };
        guests.push(Speaker::new(name, playlist)?);
    }
    let outcome = room::hold(parts, guests, &mut Watcher).await?;
    let book = &outcome.book;
    let captioned: Vec<_> = book
        .turns()
        .iter()
        .filter(|turn| turn.captioned.is_some())
        .collect();
    let span = |from: &dyn Fn(usize) -> Option<Moment>, to: &dyn Fn(usize) -> Option<Moment>| {
        let spans = (0..captioned.len()).filter_map(|n| Some(to(n)?.since(from(n)?).as_millis() as u64));
        Percentiles::of(spans.collect())
    };
    let at = |pick: fn(&goobster_bot::converse::turnbook::TurnTimes) -> Option<Moment>| {
        let captioned = &captioned;
        move |n: usize| pick(captioned[n])
    };
    let ended = at(|t| Some(t.speech_ended));
    let endpointed = at(|t| Some(t.endpointed));
    let captions = at(|t| t.captioned);
    let answered = at(|t| t.answered);
    let synthesised = at(|t| t.synthesised);
    let audible = at(|t| t.audible);
    let row = |name: &str, spans: Option<Percentiles>| {
        let ms = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        [
            name.to_owned(),
            ms(spans.map(|p| p.p50)),
            ms(spans.map(|p| p.p95)),
        ]
    };
    let rows = [
        row("**end of speech -> final caption**", span(&ended, &captions)),
        row("**end of speech -> first reply audio**", span(&ended, &audible)),
        row(
            "end of speech -> endpointer sure (its patience)",
            span(&ended, &endpointed),
        ),
        row(
            "endpointer sure -> final caption (what the speculative decode did not hide)",
            span(&endpointed, &captions),
        ),
        row(
            "final caption -> first words of the responder",
            span(&captions, &answered),
        ),
        row(
            "first words -> first samples of the voice",
            span(&answered, &synthesised),
        ),
        row(
            "first samples -> audible at the output",
            span(&synthesised, &audible),
        ),
    ];
    Ok(Held {
        spans: table(["span", "p50", "p95"], rows),
        count: captioned.len(),
        book: book.table(),
        captions: span(&ended, &captions),
    })
}

/// Shows only that it goes on.
struct Watcher;

impl Witness for Watcher {
    fn partial(&mut self, _: &PartialCaption<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn caption(&mut self, caption: &FinalCaption<'_>) -> Result<(), Failure> {
        progress(&format!("latency: heard \"{}\"", caption.text));
        Ok(())
    }

    fn dropped(&mut self, _: TurnId) -> Result<(), Failure> {
        Ok(())
    }

    fn reply_grows(&mut self, _: ReplyId, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn reply(&mut self, _: &Reply<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn turn(&mut self, _: &TurnEnd<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn trouble(&mut self, text: &str) -> Result<(), Failure> {
        progress(text);
        Ok(())
    }

    fn sound(&mut self, _: &[f32]) -> Result<(), Failure> {
        Ok(())
    }
}
