//! Soaks any bot that keeps to the same command line: `soak BOT OUT SAMPLES RUNS [SEED [AT-ONCE]]`.

use std::error::Error;
use std::path::PathBuf;

use goobster_rehearsal::BotCommand;
use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::soak::{Clips, SoakOptions, soak};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bot, out, samples, runs, rest @ ..] = args.as_slice() else {
        return Err("usage: soak BOT OUT SAMPLES RUNS [SEED [AT-ONCE]]".into());
    };
    let number = |n: usize, otherwise: u64| rest.get(n).map_or(Ok(otherwise), |text| text.parse());
    let options = SoakOptions {
        bot: BotCommand {
            program: bot.into(),
            args: vec!["run".into()],
            env: Vec::new(),
        },
        shelf: Shelf {
            beside: None,
            samples: Some(PathBuf::from(samples)),
        },
        clips: Clips::default(),
        seed_start: number(0, 1)?,
        runs: runs.parse()?,
        at_once: usize::try_from(number(1, 4)?)?,
        out: Some(PathBuf::from(out)),
    };
    let soaked = soak(options, |run| {
        let (said, judged) = run.said;
        println!(
            "{:6.1} s  {judged} of {said} judged  {}",
            run.wall.as_secs_f64(),
            run.title
        );
        for ailment in &run.ailments {
            println!("          {ailment}");
        }
    })
    .await?;
    let ailing: Vec<u64> = soaked.ailing().map(|r| r.seed).collect();
    println!("{} runs in {:.0} s", soaked.runs.len(), soaked.wall.as_secs_f64());
    if ailing.is_empty() {
        return Ok(());
    }
    Err(format!("ailing seeds: {ailing:?}").into())
}
