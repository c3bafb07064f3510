//! Rehearses any bot that keeps to the same command line: `rehearse BOT OUT SAMPLES SCENARIO…` (files, or names of the library) or `… WAV…`.
//!
//! `BOT` is started as `BOT run --config FILE`; files are written into the folder `OUT`; `SAMPLES` is the folder of sample
//! recordings.

use std::error::Error;
use std::path::{Path, PathBuf};

use goobster_rehearsal::recording::Shelf;
use goobster_rehearsal::{BotCommand, Happening, RehearsalOptions, Scenario, Watcher, rehearse};

/// A line of JSON for whatever happens.
struct Lines;

impl Watcher for Lines {
    fn told(&mut self, happening: &Happening<'_>) {
        println!("{}", happening.to_json());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(bot), Some(out), Some(samples)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: rehearse BOT OUT SAMPLES (SCENARIO… | WAV…)".into());
    };
    let rest: Vec<String> = args.collect();
    let command = BotCommand {
        program: bot.into(),
        args: vec!["run".into()],
        env: Vec::new(),
    };
    let shelf = Shelf {
        beside: None,
        samples: Some(PathBuf::from(samples)),
    };
    let mut scenarios = Vec::new();
    let is_wav = |f: &String| Path::new(f).extension().is_some_and(|e| e != "toml");
    if rest.iter().any(is_wav) {
        scenarios.push(("recordings".into(), Scenario::plain(&rest, false)));
    } else {
        for file in &rest {
            let name = Path::new(file).file_stem().unwrap_or_default().to_owned();
            let scenario = match Scenario::named(file) {
                Some(built_in) => built_in?,
                None => Scenario::parse(&std::fs::read_to_string(file)?).map_err(|e| e.in_file(file))?,
            };
            scenarios.push((name, scenario));
        }
    }
    let mut failed = 0;
    for (name, scenario) in scenarios {
        let mut options = RehearsalOptions::new(scenario, command.clone());
        options.shelf = shelf.clone();
        options.out = Some(Path::new(&out).join(name));
        match rehearse(options, &mut Lines).await {
            Ok(outcome) => {
                failed += usize::from(!outcome.passed());
                println!("{}", outcome.summary());
            }
            Err(error) => {
                failed += 1;
                println!("{error}");
            }
        }
    }
    if failed > 0 {
        return Err(format!("{failed} failed").into());
    }
    Ok(())
}
