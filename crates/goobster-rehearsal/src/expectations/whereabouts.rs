//! Where the bot was: in a channel, listening, gone, back.

use std::time::Duration;

use goobster_core::time::Moment;

use super::judge::Found;
use crate::figures::millis_after;
use crate::scenario::Presence;
use crate::timeline::{Place, Timeline};

/// A session that was without voice for longer than this was not kept.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

fn fits(place: &Place, presence: Presence, channel: Option<&str>) -> bool {
    let there = place
        .channel
        .as_deref()
        .is_some_and(|c| channel.is_none_or(|wanted| wanted == c));
    match presence {
        Presence::In => there,
        Presence::Out => place.channel.is_none(),
        Presence::Listening => there && place.connected,
    }
}

/// By the end of the time the bot is there.
pub(super) fn bot(
    timeline: &Timeline,
    presence: Presence,
    channel: Option<&str>,
    from: Moment,
    to: Moment,
) -> Found {
    let by = to.min(timeline.over);
    let Some(place) = timeline.place_at(by) else {
        return (false, "nobody looked".to_owned());
    };
    let since = timeline
        .places
        .iter()
        .rev()
        .skip_while(|p| p.at > by)
        .take_while(|p| fits(p, presence, channel))
        .last();
    let met = fits(place, presence, channel);
    let told = match (met, since) {
        (true, Some(since)) => format!("since {} ms after it", millis_after(since.at, from)),
        _ => format!(
            "at {by} it is in {}{}",
            place.channel.as_deref().unwrap_or("no channel"),
            if place.connected { " and listens" } else { "" }
        ),
    };
    (met, told)
}

pub(super) fn no_return(timeline: &Timeline, from: Moment, to: Moment) -> Found {
    let gone = timeline
        .places
        .iter()
        .filter(|p| p.at >= from)
        .find(|p| p.channel.is_none());
    let gone = match (gone, timeline.place_at(from)) {
        (_, Some(place)) if place.channel.is_none() => Some(from),
        (gone, _) => gone.map(|p| p.at),
    };
    let Some(gone) = gone else {
        return (false, "it never left".to_owned());
    };
    let back = timeline
        .places
        .iter()
        .find(|p| p.at > gone && p.at <= to && p.channel.is_some());
    match back {
        None => (true, format!("gone since {gone}")),
        Some(back) => (false, format!("back at {}", back.at)),
    }
}

/// The times without voice between the first and the last moment with it, and whether it is there at the end.
pub(super) fn session_kept(timeline: &Timeline) -> Found {
    let Some(first) = timeline.places.iter().position(|p| p.connected) else {
        return (false, "the bot never listened".to_owned());
    };
    let mut worst = Duration::ZERO;
    let mut lost: Option<Moment> = None;
    for place in timeline
        .places
        .iter()
        .skip(first)
        .filter(|p| p.at <= timeline.over)
    {
        match (place.connected, lost) {
            (false, None) => lost = Some(place.at),
            (true, Some(since)) => {
                worst = worst.max(place.at.since(since));
                lost = None;
            }
            _ => {}
        }
    }
    if let Some(since) = lost {
        return (false, format!("without voice since {since}"));
    }
    (
        worst <= RECOVERED_WITHIN,
        format!("longest without voice: {:.2} s", worst.as_secs_f64()),
    )
}
