//! What happens to a call, one by one, and that no order of it leads to a storm or a ghost.

use proptest::prelude::*;

use super::*;

const ADA: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
const LOUNGE: ChannelId = ChannelId::new(70);
const ATTIC: ChannelId = ChannelId::new(71);

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

/// A call of Ada's, who is there.
fn call() -> Presence {
    let mut call = Presence::new(PresenceConfig::default(), LOUNGE);
    for event in [
        PresenceEvent::Connected,
        PresenceEvent::Present { who: ADA },
        PresenceEvent::OwnerSet { who: ADA },
    ] {
        assert!(call.step(at(0), event).is_empty());
    }
    call
}

/// Ticks at every deadline until nothing is due any more or `until`; what was done, and when.
fn pass(call: &mut Presence, until: u64) -> Vec<(u64, PresenceEffect)> {
    let mut done = Vec::new();
    while let Some(due) = call.deadline().filter(|due| due.as_millis() <= until) {
        let effects = call.step(due, PresenceEvent::Tick);
        done.extend(effects.into_iter().map(|effect| (due.as_millis(), effect)));
    }
    done
}

fn lost(close_code: Option<u16>) -> PresenceEvent {
    PresenceEvent::LinkLost { close_code }
}

#[test]
fn a_broken_link_is_mended_by_joining_anew() {
    for code in [None, Some(4006), Some(4009), Some(4015)] {
        let mut call = call();
        assert!(call.step(at(1000), lost(code)).is_empty());
        let done = pass(&mut call, 1200);
        assert_eq!(done.len(), 1, "{code:?}: {done:?}");
        assert_eq!(done[0].1, PresenceEffect::Join { channel: LOUNGE });
        assert!((1050..=1100).contains(&done[0].0), "{}", done[0].0);
        call.step(at(1700), PresenceEvent::Connected);
        assert!(pass(&mut call, 60_000).is_empty());
    }
}

#[test]
fn a_link_that_stays_broken_ends_the_call_within_ten_seconds() {
    let mut call = call();
    call.step(at(0), lost(None));
    let (mut now, mut joins) = (0, 0);
    let end = loop {
        let due = call.deadline().unwrap();
        now = due.as_millis().max(now);
        let mut effects = call.step(at(now), PresenceEvent::Tick);
        if effects.contains(&PresenceEffect::Join { channel: LOUNGE }) {
            joins += 1;
            now += 700;
            effects.extend(call.step(at(now), PresenceEvent::JoinFailed));
        }
        if let Some(end) = effects
            .iter()
            .find(|effect| matches!(effect, PresenceEffect::EndCall { .. }))
        {
            break *end;
        }
    };
    let why = EndCause::ConnectionLost;
    assert_eq!(end, PresenceEffect::EndCall { why });
    assert!(now <= 10_000, "{now}");
    assert!((3..=12).contains(&joins), "{joins} joins");
}

#[test]
fn a_join_that_never_answers_ends_the_call_too() {
    let mut call = call();
    call.step(at(0), lost(None));
    let done = pass(&mut call, 100_000);
    let why = EndCause::ConnectionLost;
    assert_eq!(done.last(), Some(&(10_000, PresenceEffect::EndCall { why })));
}

#[test]
fn thrown_out_it_stays_out() {
    for event in [PresenceEvent::BotState { channel: None }, lost(Some(4014))] {
        let mut call = call();
        call.step(at(1000), event);
        let why = EndCause::Kicked;
        assert_eq!(pass(&mut call, 60_000), [(3000, PresenceEffect::EndCall { why })]);
        assert!(call.step(at(4000), lost(None)).is_empty());
        assert_eq!(call.deadline(), None);
    }
}

#[test]
fn a_kick_whose_link_breaks_first_is_not_answered_by_coming_back() {
    let mut call = call();
    call.step(at(1000), PresenceEvent::BotState { channel: None });
    call.step(at(1001), lost(None));
    let why = EndCause::Kicked;
    assert_eq!(pass(&mut call, 60_000), [(3000, PresenceEffect::EndCall { why })]);
}

#[test]
fn a_gateway_that_begins_anew_is_not_taken_for_a_kick() {
    let mut call = call();
    call.step(at(1000), PresenceEvent::GatewayLost);
    call.step(at(1010), lost(Some(4014)));
    assert!(
        pass(&mut call, 6000).is_empty(),
        "nobody can say whether it was a kick"
    );
    let done = call.step(at(6000), PresenceEvent::GatewayAnew { channel: None });
    assert!(done.is_empty());
    assert_eq!(
        pass(&mut call, 6200)[0].1,
        PresenceEffect::Join { channel: LOUNGE }
    );
    call.step(at(6800), PresenceEvent::Connected);
    assert!(pass(&mut call, 60_000).is_empty());
    // A kick that was told when the gateway went on is one.
    call.step(at(61_000), PresenceEvent::GatewayLost);
    call.step(at(61_100), lost(Some(4014)));
    call.step(at(65_000), PresenceEvent::GatewayBack);
    call.step(at(65_001), PresenceEvent::BotState { channel: None });
    let why = EndCause::Kicked;
    assert_eq!(
        pass(&mut call, 90_000),
        [(67_000, PresenceEffect::EndCall { why })]
    );
}

#[test]
fn dragged_elsewhere_it_follows() {
    let mut call = call();
    call.step(at(1000), lost(Some(4014)));
    let moved = PresenceEvent::BotState { channel: Some(ATTIC) };
    assert_eq!(
        call.step(at(1100), moved),
        [PresenceEffect::MovedTo { channel: ATTIC }]
    );
    call.step(at(1500), PresenceEvent::Connected);
    assert!(pass(&mut call, 30_000).is_empty());
    // And when the voice library does not follow by itself, it is helped.
    call.step(at(31_000), lost(Some(4014)));
    call.step(
        at(31_100),
        PresenceEvent::BotState {
            channel: Some(LOUNGE),
        },
    );
    let done = pass(&mut call, 33_200);
    assert_eq!(done, [(33_100, PresenceEffect::Join { channel: LOUNGE })]);
}

#[test]
fn what_discord_forbids_is_not_tried_again() {
    for (event, why) in [
        (lost(Some(4017)), EndCause::EncryptionRequired),
        (lost(Some(4021)), EndCause::CallEnded),
        (lost(Some(4022)), EndCause::CallEnded),
        (PresenceEvent::ChannelDeleted, EndCause::ChannelGone),
        (PresenceEvent::GuildGone, EndCause::ChannelGone),
    ] {
        let mut call = call();
        assert_eq!(
            call.step(at(5), event),
            [PresenceEffect::EndCall { why }],
            "{event:?}"
        );
        assert!(pass(&mut call, 1_000_000).is_empty());
    }
}

#[test]
fn an_owner_who_comes_back_in_time_keeps_the_session() {
    let mut call = call();
    call.step(at(0), PresenceEvent::Present { who: BOB });
    assert_eq!(
        call.step(at(1000), PresenceEvent::Absent { who: ADA }),
        [PresenceEffect::OwnerAway { owner: ADA }]
    );
    assert_eq!(
        call.step(at(50_000), PresenceEvent::Present { who: ADA }),
        [PresenceEffect::OwnerBack { owner: ADA }]
    );
    call.step(at(60_000), PresenceEvent::Absent { who: ADA });
    let why = EndCause::OwnerLeft;
    assert_eq!(
        pass(&mut call, 500_000),
        [(120_000, PresenceEffect::EndSession { owner: ADA, why })]
    );
}

#[test]
fn left_alone_it_goes() {
    let mut call = call();
    let effects = call.step(at(1000), PresenceEvent::Absent { who: ADA });
    assert!(effects.contains(&PresenceEffect::Alone {
        ends_in: Duration::from_mins(1)
    }));
    let why = EndCause::LeftAlone;
    assert_eq!(
        pass(&mut call, 500_000).first(),
        Some(&(61_000, PresenceEffect::EndCall { why }))
    );
}

#[test]
fn a_server_that_breaks_again_and_again_is_not_stormed() {
    let mut call = call();
    let (mut now, mut joins) = (0, 0);
    for _ in 0..100 {
        call.step(at(now), lost(Some(4006)));
        now += 200;
        joins += pass(&mut call, now)
            .iter()
            .filter(|(_, effect)| matches!(effect, PresenceEffect::Join { .. }))
            .count();
        call.step(at(now), PresenceEvent::Connected);
        now += 1000;
    }
    assert_eq!(joins, PresenceConfig::default().joins);
    assert_eq!(call.deadline(), None, "it has given up");
}

fn any_event() -> impl Strategy<Value = PresenceEvent> {
    (0..14_u8, 0..3_u64, 0..5_usize).prop_map(|(what, who, code)| {
        let who = UserId::new(who);
        match what {
            0 => PresenceEvent::Connected,
            1 => lost([None, Some(4006), Some(4014), Some(4015), Some(4009)][code]),
            2 => PresenceEvent::JoinFailed,
            3 => PresenceEvent::BotState { channel: None },
            4 => PresenceEvent::BotState {
                channel: Some([LOUNGE, ATTIC][code % 2]),
            },
            5 | 6 => PresenceEvent::Present { who },
            7 => PresenceEvent::Absent { who },
            8 => PresenceEvent::OwnerSet { who },
            9 => PresenceEvent::OwnerUnset { who },
            10 => PresenceEvent::GatewayLost,
            11 => PresenceEvent::GatewayBack,
            12 => PresenceEvent::GatewayAnew {
                channel: [None, Some(LOUNGE), Some(ATTIC)][code % 3],
            },
            _ => PresenceEvent::Tick,
        }
    })
}

proptest! {
    #[test]
    fn no_order_of_events_makes_a_storm_or_a_ghost(events in proptest::collection::vec((any_event(), 0..4000_u64), 0..120), seed: u64) {
        let config = PresenceConfig { seed, ..PresenceConfig::default() };
        let mut call = Presence::new(config, LOUNGE);
        let (mut now, mut ended) = (0_u64, false);
        let mut joins: Vec<u64> = Vec::new();
        let mut people = BTreeSet::new();
        for (event, later) in events {
            let until = now + later;
            let mut steps = Vec::new();
            while let Some(due) = call.deadline().filter(|due| due.as_millis() <= until) {
                now = now.max(due.as_millis());
                steps.push((now, call.step(at(now), PresenceEvent::Tick)));
                prop_assert!(call.deadline().is_none_or(|next| next > due), "a deadline that does not pass");
            }
            now = until;
            match event {
                PresenceEvent::Present { who } => { people.insert(who); }
                PresenceEvent::Absent { who } => { people.remove(&who); }
                _ => {}
            }
            steps.push((now, call.step(at(now), event)));
            for (when, effects) in steps {
                for effect in effects {
                    prop_assert!(!ended, "{effect:?} after the end");
                    match effect {
                        PresenceEffect::Join { .. } => joins.push(when),
                        PresenceEffect::EndCall { .. } => ended = true,
                        PresenceEffect::EndSession { owner, .. } => prop_assert!(when < now || !people.contains(&owner)),
                        _ => {}
                    }
                }
            }
        }
        // Left to itself, a broken link is mended or given up.
        let done = pass(&mut call, now + 100_000);
        ended |= done.iter().any(|(_, effect)| matches!(effect, PresenceEffect::EndCall { .. }));
        prop_assert!(ended || call.is_up());
        for (n, join) in joins.iter().enumerate() {
            let in_window = joins[n..].iter().take_while(|other| **other - join < 600_000).count();
            prop_assert!(in_window <= config.joins);
        }
    }
}
