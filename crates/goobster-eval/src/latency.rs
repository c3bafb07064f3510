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
pub(crate) async fn measure(turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (spans, count, book) = converse(turns, None).await?;
    let first = format!(
        "Standard profile, {cores} cores, {count} turns of a conversation at the pace of speech with the built-in responder. \
         Its answers are few, so that most are in the speech cache. End of speech is the last voiced 20 ms, marked \
         beforehand.\n\n{spans}"
    );
    let (spans, count, _) = converse(turns, Some(Arc::new(Fresh::default()))).await?;
    let body = format!(
        "{first}\n\nThe same with {count} turns and a responder that answers at once, with a sentence of a dozen words that was \
         never said before: nothing comes out of the cache.\n\n{spans}\n\nThe turns of the first conversation:\n\n{book}"
    );
    report.section("Latency", &body)
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

/// Holds one conversation; its spans as a table, the number of turns, and the turns as a table.
async fn converse(
    turns: usize,
    responder: Option<Arc<dyn Responder>>,
) -> anyhow::Result<(String, usize, String)> {
    let speech = Cache::locate()?.root().join("speech");
    let clips = speech_clips()?;
    // The tape of jfk.wav is loud to its last sample: it has no end of speech to mark, and its pauses are turns.
    let single: Vec<PathBuf> = clips
        .iter()
        .filter(|clip| clip.file != "jfk.wav")
        .map(|clip| speech.join(&clip.file))
        .collect();
    let playlist: Vec<PathBuf> = single.iter().cycle().take(turns).cloned().collect();
    let config = config(Profile::Standard);
    let engines = Engines::new(&config, false, quiet());
    let mut parts = command::parts(&engines, &config, Pace::Real)?;
    parts.responder = responder.unwrap_or(parts.responder);
    let speaker = Speaker::new("Guest".to_owned(), playlist)?;
    let outcome = room::hold(parts, vec![speaker], &mut Watcher).await?;
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
    Ok((table(["span", "p50", "p95"], rows), captioned.len(), book.table()))
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
