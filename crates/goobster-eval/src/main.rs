//! `cargo xtask eval`: the measurements behind `docs/accuracy.md`, made by the parts that users run.
//!
//! - [`words`]: word error rates of the recordings, both profiles, trimmed and full context.
//! - [`latency`]: end of speech to final caption and to first reply audio, over turns of a real conversation.
//! - [`voices`]: how well the voices are heard, and how soon they begin.
//! - [`noise`]: captions made from what is not speech, and speech heard over music.
//! - [`loss`]: what lost packets cost, and [`decode`]: which way from a packet to 16 kHz; only when asked for. Both send
//!   the recordings through [`calls`].
//! - [`endpointing`]: pauses taken for the end of a turn, and how soon an end is known; only when asked for.

mod calls;
mod corpus;
mod decode;
mod endpointing;
mod latency;
mod loss;
mod noise;
mod report;
mod voices;
mod words;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use goobster_bot::cli::terminal::Terminal;
use goobster_bot::config::{Config, Profile};
use report::Report;

/// Measure accuracy and latency on the sample recordings.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask eval")]
struct Args {
    /// What to measure [default: everything but loss and decode]
    #[arg(value_enum)]
    what: Vec<Measure>,
    /// Write the tables into this Markdown file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How many turns the latency measurement takes
    #[arg(long, default_value_t = 24, value_name = "N")]
    turns: usize,
    /// With more than one: latency of captions with one speaker, with two at once, and so on up to N
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    speakers: u8,
    /// How many minutes of each noise
    #[arg(long, default_value_t = 10.0, value_name = "MIN")]
    minutes: f64,
    /// How many announcements of each voice the endpointing measurement takes at most
    #[arg(long, default_value_t = 1000, value_name = "N")]
    announcements: usize,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Word error rates
    Words,
    /// End of speech to final caption and to first reply audio
    Latency,
    /// How well the voices are heard, and how soon
    Voices,
    /// Captions made from silence, noise, tones and music
    Noise,
    /// Pauses taken for the end of a turn, and how soon an end is known
    Endpointing,
    /// Word errors when packets of a call are lost
    Loss,
    /// Word errors and spectrum of two ways to decode a call
    Decode,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let wanted = |measure| args.what.is_empty() || args.what.contains(&measure);
    let mut report = Report::new(args.report.clone())?;
    if wanted(Measure::Words) {
        words::measure(&mut report).await.context("words")?;
    }
    if wanted(Measure::Latency) {
        latency::measure(args.turns, usize::from(args.speakers), &mut report)
            .await
            .context("latency")?;
    }
    if wanted(Measure::Voices) {
        voices::measure(&mut report).await.context("voices")?;
    }
    if wanted(Measure::Noise) {
        noise::measure(args.minutes, &mut report).await.context("noise")?;
    }
    if args.what.contains(&Measure::Endpointing) {
        endpointing::measure(args.announcements, &mut report)
            .await
            .context("endpointing")?;
    }
    if args.what.contains(&Measure::Loss) {
        loss::measure(&mut report).await.context("loss")?;
    }
    if args.what.contains(&Measure::Decode) {
        decode::measure(&mut report).await.context("decode")?;
    }
    report.finish()
}

/// A profile's configuration, everything else by default.
fn config(profile: Profile) -> Config {
    Config {
        profile,
        ..Config::default()
    }
}

/// Nothing on stdout but the report.
fn quiet() -> Terminal {
    Terminal::new(true)
}
