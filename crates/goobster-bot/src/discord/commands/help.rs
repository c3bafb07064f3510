//! `/help`: what can be typed, made from the commands themselves.

use std::fmt::Write as _;

use super::{Answer, CommandError, Context, Data, say};

/// What you can ask of Goobster
#[poise::command(slash_command, guild_only)]
pub(super) async fn help(context: Context<'_>) -> Answer {
    say(context, text(&context.framework().options.commands)).await
}

/// Every command with its description.
pub(super) fn text(commands: &[poise::Command<Data, CommandError>]) -> String {
    let mut text =
        String::from("I join a voice channel, write down what is said, and answer when you talk to me.\n");
    for command in commands {
        let mut line = |name: &str, command: &poise::Command<Data, CommandError>| {
            let about = command.description.as_deref().unwrap_or("");
            let _ = writeln!(text, "`/{name}` {about}");
        };
        if command.subcommands.is_empty() {
            line(&command.name, command);
        }
        for sub in &command.subcommands {
            line(&format!("{} {}", command.name, sub.name), sub);
        }
    }
    text.push_str("In the call, say \"help\" to hear what I can answer.");
    text
}
