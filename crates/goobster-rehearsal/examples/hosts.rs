//! Kills one of several hosts of any bot that keeps to the same command line: `hosts BOT SAMPLES [--json] [--fast]`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use goobster_rehearsal::BotCommand;
use goobster_rehearsal::hosts::{Hosts, rehearse_hosts};
use goobster_rehearsal::recording::Shelf;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (flags, plain): (Vec<_>, Vec<_>) = args.into_iter().partition(|arg| arg.starts_with("--"));
    let [bot, samples] = plain.as_slice() else {
        return Err("usage: hosts BOT SAMPLES [--json] [--fast]".into());
    };
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let report = rehearse_hosts(Hosts {
        bot: BotCommand {
            program: bot.into(),
            args: vec!["run".into(), "-v".into(), "--offline".into()],
            env: Vec::new(),
        },
        shelf: Shelf {
            beside: None,
            samples: Some(PathBuf::from(samples)),
        },
        clip: "cards/005".to_owned(),
        hosts: 3,
        shards: 6,
        guilds: if has("--fast") { 1 } else { 2 },
        calm: Duration::from_secs(if has("--fast") { 5 } else { 30 }),
        rolling: !has("--fast"),
    })
    .await?;
    if has("--json") {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let load = report.load;
        println!(
            "the store saw {:.1} requests/s ({:.1} commands/s) of {} sessions on {} hosts over {:.0} s",
            load.requests_per_s, load.commands_per_s, load.sessions, load.hosts, load.seconds
        );
        for finding in &report.findings {
            let mark = if finding.kept { "yes" } else { "NO " };
            println!("{mark}  {}\n     {}", finding.promise, finding.found);
        }
    }
    if report.kept() {
        Ok(())
    } else {
        Err("a promise was not kept".into())
    }
}
