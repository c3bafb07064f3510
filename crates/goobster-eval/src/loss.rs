//! What lost packets cost: word errors at 10 % random loss, averaged over ten seeds, beside the same call without loss.

use goobster_audio::opus::{MadeGood, StreamDecoder};
use goobster_bot::config::Profile;
use goobster_bot::engines::Engines;
use goobster_speech::stt::AudioContext;
use goobster_tests::signals::Dice;

use crate::calls::{self, MUSIC, Spoken, VOICE};
use crate::report::{Report, progress, table};
use crate::{config, quiet};

/// The part of the packets that are lost.
const LOSS: f64 = 0.1;
const SEEDS: u64 = 10;

/// What became of the packets.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    lost: usize,
    recovered: usize,
}

/// Scores calls with and without loss in the standard profile.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = config(Profile::Standard);
    let engines = Engines::new(&config, false, quiet());
    let recogniser = engines.whisper(None, AudioContext::Trimmed)?;
    let recordings = calls::recordings(&engines)?;
    let mut rows = Vec::new();
    for client in [VOICE, MUSIC] {
        let packets: Vec<_> = recordings
            .iter()
            .map(|spoken| calls::encode(client, &spoken.sound))
            .collect::<anyhow::Result<_>>()?;
        let mut rates = Vec::new();
        let mut tally = Tally::default();
        for seed in 0..=SEEDS {
            progress(&format!("loss: {}, seed {seed}", client.name));
            // Seed 0 is the call without loss.
            let mut dice = (seed > 0).then(|| Dice::new(seed));
            let sounds: Vec<_> = recordings
                .iter()
                .zip(&packets)
                .map(|(spoken, packets)| hear(spoken, packets, dice.as_mut(), &mut tally))
                .collect::<anyhow::Result<_>>()?;
            let errors = calls::errors(&engines, &recogniser, folder.path(), &sounds).await?;
            rates.push(calls::percent(errors));
        }
        let (whole, lossy) = (rates[0], &rates[1..]);
        let mean = lossy.iter().sum::<f64>() / lossy.len() as f64;
        let (least, most) = lossy
            .iter()
            .fold((f64::MAX, f64::MIN), |(a, b), rate| (a.min(*rate), b.max(*rate)));
        rows.push([
            client.name.to_owned(),
            format!("{whole:.1} %"),
            format!("{mean:.1} % ({least:.1} to {most:.1})"),
            format!("{:+.1}", mean - whole),
            format!(
                "{:.0} %",
                tally.recovered as f64 * 100.0 / tally.lost.max(1) as f64
            ),
        ]);
    }
    let header = [
        "client",
        "no loss",
        "10 % lost",
        "points",
        "lost packets recovered",
    ];
    let body = format!(
        "Word error rate of every recording through a call, standard profile. A tenth of the packets is lost at random, \
         {SEEDS} times with another seed: mean, least and most.\n\n{}",
        table(header, rows)
    );
    report.section("Lost packets", &body)
}

/// What is heard of a recording, beside what is said in it.
fn hear<'a>(
    spoken: &'a Spoken,
    packets: &[Vec<u8>],
    mut dice: Option<&mut Dice>,
    tally: &mut Tally,
) -> anyhow::Result<(&'a str, Vec<f32>)> {
    let mut stream = StreamDecoder::new()?;
    let mut heard = Vec::new();
    let mut take = |sound: &[f32]| heard.extend_from_slice(sound);
    for packet in packets {
        if dice.as_mut().is_some_and(|dice| dice.unit() < LOSS) {
            stream.lost(&mut take)?;
            tally.lost += 1;
        } else if stream.packet(packet, &mut take)? == Some(MadeGood::Recovered) {
            tally.recovered += 1;
        }
    }
    stream.settle(&mut take)?;
    anyhow::ensure!(
        heard.len() == packets.len() * 320,
        "a stream must keep its length"
    );
    Ok((&spoken.transcript, heard))
}
