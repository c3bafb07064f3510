//! What could have been heard, and is it there? Judged without mercy where nothing was broken, and not at all where the bot
//! could not have known.

use std::time::Duration;

use goobster_core::time::Moment;

use crate::figures::captions_of;
use crate::scenario::Fault;
use crate::timeline::{Speech, Timeline};
use crate::words::{WordErrors, word_errors};

/// A caption must have come by then if the bot was left alone.
const SETTLED: Duration = Duration::from_secs(6);
/// The bot must have listened from so long before the first word until so long after the last packet.
const AROUND: Duration = Duration::from_millis(300);
/// After a change of keys, or nonsense, or a black hole, the bot has this long to hear again.
const RECOVERS: Duration = Duration::from_secs(2);
/// More loss than this makes words unintelligible to people, too.
const MOST_LOSS: f64 = 0.15;

/// Whether a speech must be captioned: the bot listened from its first word to its last, the speaker stayed, and nothing
/// spoilt the sound or ended the bot meanwhile.
pub fn heard_well(timeline: &Timeline, speech: &Speech) -> bool {
    let (from, to) = (speech.voice_from.before(AROUND), speech.to.after(AROUND));
    let settled = speech.to.after(SETTLED);
    let spoils = |at: Moment, until: Moment| at <= to && until.after(RECOVERS) >= from;
    let ends = |at: Moment| at >= from && at <= settled;
    let hurt = timeline.faults.iter().filter(|f| f.hit).any(|f| match &f.order {
        Fault::BlackHole(_) => spoils(f.at, f.until.unwrap_or(Moment::NEVER)),
        Fault::Garble { member, .. } => {
            *member == speech.member && spoils(f.at, f.until.unwrap_or(Moment::NEVER))
        }
        Fault::Network { loss, .. } => *loss > MOST_LOSS && spoils(f.at, f.until.unwrap_or(Moment::NEVER)),
        Fault::NewGroup | Fault::Downgrade => spoils(f.at, f.at),
        // The session may end with these, and with it what has not become a caption yet.
        Fault::KillBot
        | Fault::TerminateBot
        | Fault::RemoveGuild
        | Fault::KickBot
        | Fault::DeleteChannel { .. }
        | Fault::VoiceSilence
        | Fault::GatewaySilence
        | Fault::DragBot { .. } => ends(f.at),
        // Of these the bot recovers with its session; what it heard before and after is not excused.
        Fault::VoiceClose(code) => !matches!(code, 4_006 | 4_015) && ends(f.at),
        _ => false,
    });
    speech.sent
        && speech.loss <= MOST_LOSS
        && !hurt
        && timeline.connected_throughout(from, to)
        && stays(timeline, speech, settled.min(timeline.over))
}

/// Whether the speaker is in the bot's channel from the first word until a moment.
fn stays(timeline: &Timeline, speech: &Speech, until: Moment) -> bool {
    let since = timeline
        .company
        .partition_point(|c| c.at <= speech.from)
        .saturating_sub(1);
    timeline
        .company
        .iter()
        .skip(since)
        .take_while(|c| c.at <= until)
        .all(|c| {
            let place = timeline.place_at(c.at).and_then(|p| p.channel.as_ref());
            // What happens after the last word concerns only the speaker: that the bot has left by then is judged elsewhere.
            let here = c
                .members
                .iter()
                .find(|(m, _)| *m == speech.member)
                .map(|(_, channel)| channel);
            here.is_some() && (c.at > speech.to || place.is_none() || here == place)
        })
}

/// What was lost of that which could be heard, in words: speeches without a caption or with too many wrong words, and captions
/// that were never finished.
pub fn lost(timeline: &Timeline, most_errors: f64) -> Vec<String> {
    let mut lost = Vec::new();
    for speech in timeline.speeches.iter().filter(|s| heard_well(timeline, s)) {
        let captions = captions_of(timeline, speech);
        let heard: Vec<&str> = captions.iter().map(|c| c.words()).collect();
        let heard = heard.join(" ");
        let errors = speech
            .text
            .as_ref()
            .map(|said| word_errors(said, &heard))
            .map_or(0.0, WordErrors::percent);
        if captions.is_empty() {
            lost.push(format!("'{}' of {} has no caption", speech.label, speech.member));
        } else if errors > most_errors {
            lost.push(format!(
                "'{}' has {errors:.0} % wrong words: \"{heard}\"",
                speech.label
            ));
        }
    }
    for caption in timeline
        .captions
        .iter()
        .filter(|c| c.deleted.is_none() && c.final_at().is_none())
    {
        let latest = caption.revisions.last().map_or(Moment::ZERO, |r| r.at);
        let silenced = |f: &crate::timeline::Fault| {
            f.at >= latest
                && matches!(
                    f.order,
                    Fault::KillBot | Fault::RemoveGuild | Fault::DeleteChannel { .. }
                )
        };
        if !timeline.faults.iter().any(silenced) {
            lost.push(format!(
                "a caption of {} was never finished: \"{}\"",
                caption.name,
                caption.words()
            ));
        }
    }
    lost
}
