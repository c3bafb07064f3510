//! The world's rules: permissions, voice, messages, commands and interactions.

use proptest::prelude::*;
use serde_json::json;

use super::act::Act;
use super::channel::{ChannelKind, Overwrite, OverwriteTarget};
use super::draft::Draft;
use super::interaction::{ANSWER_WITHIN_MS, Answer, TOKEN_LASTS_MS};
use super::permissions::Permissions;
use super::*;

struct Place {
    world: World,
    guild: GuildId,
    text: ChannelId,
    voice: ChannelId,
    ann: UserId,
}

fn place() -> Place {
    let mut world = World::new(1, DISCORD_EPOCH_MS + 1_000_000, "bot");
    let ann = world.add_user("ann", false);
    let guild = world.add_guild("den", world.owner()).unwrap();
    world.add_member(guild, ann).unwrap();
    let text = world.add_channel(guild, "text", ChannelKind::Text).unwrap();
    let voice = world.add_channel(guild, "voice", ChannelKind::Voice).unwrap();
    world.take_events();
    Place {
        world,
        guild,
        text,
        voice,
        ann,
    }
}

fn names(world: &mut World) -> Vec<&'static str> {
    world.take_events().into_iter().map(|e| e.name).collect()
}

#[test]
fn a_voice_channel_is_joined_moved_in_and_left() {
    let Place {
        mut world,
        guild,
        voice,
        ann,
        text,
    } = place();
    let other = world.add_channel(guild, "other", ChannelKind::Voice).unwrap();
    world.take_events();
    assert_eq!(
        world.join_voice(text, ann, "s", (false, false)),
        Err(ApiError::WrongChannelKind)
    );
    world.join_voice(voice, ann, "s", (false, false)).unwrap();
    world.move_voice(ann, other).unwrap();
    assert_eq!(
        (world.in_voice(voice), world.in_voice(other)),
        (vec![], vec![ann])
    );
    world.leave_voice(guild, ann).unwrap();
    assert_eq!(world.leave_voice(guild, ann), Err(ApiError::UnknownVoiceState));
    let events = world.take_events();
    assert!(
        events
            .iter()
            .all(|e| e.name == "VOICE_STATE_UPDATE" && e.data["member"]["user"]["username"] == "ann")
    );
    let channels: Vec<_> = events.iter().map(|e| e.data["channel_id"].clone()).collect();
    assert_eq!(channels, [json!(voice), json!(other), json!(null)]);
}

#[test]
fn a_full_or_forbidden_voice_channel_is_not_joined() {
    let Place {
        mut world,
        guild,
        voice,
        ann,
        ..
    } = place();
    let bob = world.add_user("bob", false);
    world.add_member(guild, bob).unwrap();
    world.edit_channel(voice, |c| c.user_limit = 1).unwrap();
    world.join_voice(voice, ann, "a", (false, false)).unwrap();
    assert_eq!(
        world.join_voice(voice, bob, "b", (false, false)),
        Err(ApiError::MissingPermissions)
    );
    world.join_voice(voice, ann, "a", (true, false)).unwrap();
    let target = OverwriteTarget::Member(bob);
    let deny = Permissions::CONNECT;
    world.edit_channel(voice, |c| c.user_limit = 0).unwrap();
    world
        .set_overwrite(
            voice,
            Overwrite {
                target,
                allow: Permissions::NONE,
                deny,
            },
        )
        .unwrap();
    assert_eq!(
        world.join_voice(voice, bob, "b", (false, false)),
        Err(ApiError::MissingPermissions)
    );
    let deny = Permissions::VIEW_CHANNEL;
    world
        .set_overwrite(
            voice,
            Overwrite {
                target,
                allow: Permissions::NONE,
                deny,
            },
        )
        .unwrap();
    assert_eq!(
        world.join_voice(voice, bob, "b", (false, false)),
        Err(ApiError::MissingAccess)
    );
}

#[test]
fn a_deleted_channel_puts_everyone_out_first() {
    let Place {
        mut world,
        voice,
        text,
        ann,
        ..
    } = place();
    world.join_voice(voice, ann, "s", (false, false)).unwrap();
    let thread = world.open_thread(text, None, ann, ("t", false, 60)).unwrap();
    world.take_events();
    world.remove_channel(voice).unwrap();
    world.remove_channel(text).unwrap();
    assert_eq!(
        names(&mut world),
        [
            "VOICE_STATE_UPDATE",
            "CHANNEL_DELETE",
            "THREAD_DELETE",
            "CHANNEL_DELETE"
        ]
    );
    assert_eq!(world.channel(thread).unwrap_err(), ApiError::UnknownChannel);
}

#[test]
fn messages_are_written_edited_and_deleted_by_those_who_may() {
    let Place {
        mut world, text, ann, ..
    } = place();
    let bot = world.bot();
    let id = world.create_message(text, bot, Draft::words("hello")).unwrap();
    world
        .edit_message(text, id, bot, Draft::words("hello there"))
        .unwrap();
    assert_eq!(
        world.edit_message(text, id, ann, Draft::words("no")),
        Err(ApiError::NotYourMessage)
    );
    assert_eq!(
        world.delete_message(text, id, ann),
        Err(ApiError::MissingPermissions)
    );
    assert_eq!(
        world.create_message(text, bot, Draft::words(" ")),
        Err(ApiError::EmptyMessage)
    );
    let message = world.message(text, id).unwrap();
    assert_eq!((message.content.as_str(), message.edits), ("hello there", 1));
    world.delete_message(text, id, world.owner()).unwrap();
    assert_eq!(
        names(&mut world),
        ["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"]
    );
}

#[test]
fn what_discord_refuses_in_a_message_is_refused() {
    let parse = |body| Draft::parse(&body, Vec::new());
    assert!(parse(json!({ "content": "é".repeat(2_000) })).is_ok());
    assert!(parse(json!({ "content": "é".repeat(2_001) })).is_err());
    let embed = |title: usize, text: usize| json!({ "embeds": [{ "title": "t".repeat(title), "description": "d".repeat(text) }] });
    assert!(parse(embed(256, 4_096)).is_ok());
    assert!(parse(embed(257, 1)).is_err());
    assert!(parse(embed(1, 4_097)).is_err());
    let two =
        json!({ "embeds": [{ "description": "d".repeat(4_000) }, { "description": "d".repeat(2_001) }] });
    assert!(parse(two).is_err());
    let row = |id: &str| json!({ "type": 1, "components": [{ "type": 2, "style": 1, "label": "x", "custom_id": id }] });
    assert!(parse(json!({ "components": [row("a"), row("b")] })).is_ok());
    assert!(parse(json!({ "components": [row("a"), row("a")] })).is_err());
    assert!(parse(json!([])).is_err());
}

#[test]
fn a_thread_put_away_wakes_unless_it_is_locked() {
    let Place { mut world, text, .. } = place();
    let bot = world.bot();
    let on = world.create_message(text, bot, Draft::words("x")).unwrap();
    let thread = world
        .open_thread(text, Some(on), bot, ("captions", false, 60))
        .unwrap();
    assert_eq!(thread.get(), on.get());
    assert_eq!(
        world.open_thread(text, Some(on), bot, ("again", false, 60)),
        Err(ApiError::ThreadExists)
    );
    let put_away = |world: &mut World, locked| {
        world
            .edit_channel(thread, |c| {
                let thread = c.thread.as_mut().unwrap();
                (thread.archived, thread.locked) = (true, locked);
            })
            .unwrap();
    };
    put_away(&mut world, false);
    world.create_message(thread, bot, Draft::words("y")).unwrap();
    assert!(!world.channel(thread).unwrap().thread.as_ref().unwrap().archived);
    put_away(&mut world, true);
    assert_eq!(
        world.create_message(thread, bot, Draft::words("z")),
        Err(ApiError::ThreadArchived)
    );
}

#[test]
fn commands_are_checked_and_replaced() {
    let Place { mut world, guild, .. } = place();
    let good = json!({ "name": "voice", "description": "d", "options": [
        { "type": 1, "name": "start", "description": "s" } ] });
    let id = world.register_command(None, good.clone()).unwrap();
    assert_eq!(
        world.register_command(None, good.clone()).unwrap(),
        id,
        "the same name is the same command"
    );
    assert!(
        world
            .register_command(None, json!({ "name": "Voice", "description": "d" }))
            .is_err()
    );
    assert!(world.register_command(None, json!({ "name": "voice" })).is_err());
    let order = json!({ "name": "x", "description": "d", "options": [
        { "type": 3, "name": "a", "description": "a" }, { "type": 3, "name": "b", "description": "b", "required": true } ] });
    assert!(world.register_command(None, order).is_err());
    assert!(
        world
            .overwrite_commands(None, vec![good.clone(), good.clone()])
            .is_err()
    );
    world
        .overwrite_commands(Some(guild), vec![json!({ "name": "other", "description": "d" })])
        .unwrap();
    assert_eq!(world.commands(None).count(), 1);
    assert_eq!(world.commands_json(Some(guild))[0]["name"], "other");
    world.overwrite_commands(None, Vec::new()).unwrap();
    assert_eq!(world.commands(None).count(), 0);
}

#[test]
fn only_what_is_registered_and_allowed_can_be_used() {
    let Place {
        mut world, text, ann, ..
    } = place();
    let speak = json!({ "name": "speak", "description": "d", "options": [
        { "type": 3, "name": "text", "description": "t", "required": true } ] });
    let admin = json!({ "name": "admin", "description": "d",
        "default_member_permissions": Permissions::MANAGE_GUILD.bits().to_string() });
    world.overwrite_commands(None, vec![speak, admin]).unwrap();
    let with = |value| Act::Command {
        path: "speak".into(),
        options: vec![("text".into(), value)],
    };
    assert!(world.interact(ann, text, Act::command("speak")).is_err());
    assert!(world.interact(ann, text, with(json!(1))).is_err());
    assert!(world.interact(ann, text, with(json!("hi"))).is_ok());
    assert_eq!(
        world.interact(ann, text, Act::command("admin")),
        Err(ApiError::MissingPermissions)
    );
    assert!(world.interact(world.owner(), text, Act::command("admin")).is_ok());
    assert_eq!(
        world.interact(ann, text, Act::command("none")),
        Err(ApiError::UnknownCommand)
    );
}

fn asked(world: &mut World, text: ChannelId, user: UserId) -> (InteractionId, String) {
    world
        .overwrite_commands(None, vec![json!({ "name": "help", "description": "d" })])
        .unwrap();
    let id = world.interact(user, text, Act::command("help")).unwrap();
    (id, world.interaction(id).unwrap().token.clone())
}

#[test]
fn an_interaction_is_answered_once_in_time_and_edited_for_a_while() {
    let Place {
        mut world, text, ann, ..
    } = place();
    let (id, token) = asked(&mut world, text, ann);
    world.take_events();
    let now = world.now_ms();
    world
        .answer(
            id,
            &token,
            &json!({ "type": 5, "data": { "flags": 64 } }),
            Vec::new(),
        )
        .unwrap();
    assert_eq!(
        world.answer(id, &token, &json!({ "type": 5 }), Vec::new()),
        Err(ApiError::AlreadyAcknowledged)
    );
    let (channel, original) = world.answer_message(&token, None).unwrap();
    world.advance(now + 10_000);
    let first = world.follow_up(&token, Draft::words("done")).unwrap();
    assert_eq!(
        first,
        (channel, original),
        "the first further message is the promised one"
    );
    let second = world.follow_up(&token, Draft::words("more")).unwrap();
    assert_ne!(second.1, original);
    let original = world.message(channel, original).unwrap();
    assert!(original.ephemeral() && original.content == "done");
    let public: Vec<_> = world
        .take_events()
        .into_iter()
        .map(|e| e.data["content"].clone())
        .collect();
    assert_eq!(
        public,
        [json!("more")],
        "what only one user sees is not dispatched"
    );
    world.advance(now + TOKEN_LASTS_MS + 1);
    assert_eq!(
        world.follow_up(&token, Draft::words("late")),
        Err(ApiError::InvalidWebhookToken)
    );
}

#[test]
fn a_late_first_answer_is_refused() {
    let Place {
        mut world, text, ann, ..
    } = place();
    let (id, token) = asked(&mut world, text, ann);
    world.advance(world.now_ms() + ANSWER_WITHIN_MS + 1);
    let late = world.answer(id, &token, &json!({ "type": 5 }), Vec::new());
    assert_eq!(late, Err(ApiError::UnknownInteraction));
}

#[test]
fn a_button_of_a_hidden_message_is_for_one_user() {
    let Place {
        mut world, text, ann, ..
    } = place();
    let (id, token) = asked(&mut world, text, ann);
    let row = json!({ "type": 1, "components": [{ "type": 2, "style": 1, "label": "ok", "custom_id": "consent" }] });
    let body = json!({ "type": 4, "data": { "content": "listen?", "flags": 64, "components": [row] } });
    world.answer(id, &token, &body, Vec::new()).unwrap();
    let (_, message) = world.answer_message(&token, None).unwrap();
    assert!(
        world
            .interact(world.owner(), text, Act::press(message, "consent"))
            .is_err()
    );
    assert!(world.interact(ann, text, Act::press(message, "nothing")).is_err());
    let press = world.interact(ann, text, Act::press(message, "consent")).unwrap();
    let token = world.interaction(press).unwrap().token.clone();
    let update = json!({ "type": 7, "data": { "content": "listening", "components": [] } });
    world.answer(press, &token, &update, Vec::new()).unwrap();
    assert_eq!(world.interaction(press).unwrap().answer, Some(Answer::Update));
    assert_eq!(world.message(text, message).unwrap().content, "listening");
}

proptest! {
    /// Overwrites in Discord's order: everyone, roles together, the member; and administrators are above them all.
    #[test]
    fn permissions_are_computed_as_documented(bits: [u64; 7], admin: bool) {
        let Place { mut world, guild, voice, ann, .. } = place();
        let [base, ea, ed, ra, rd, ma, md] = bits
            .map(|bits| Permissions::from_bits(bits) & Permissions::ALL & !Permissions::ADMINISTRATOR);
        let view = Permissions::VIEW_CHANNEL;
        let everyone = world.guild(guild).unwrap().everyone();
        world.set_role(guild, everyone, base | view).unwrap();
        let granted = if admin { Permissions::ADMINISTRATOR } else { Permissions::NONE };
        let role = world.add_role(guild, "r", granted, &[ann]).unwrap();
        for (target, allow, deny) in [
            (OverwriteTarget::Role(everyone), ea, ed),
            (OverwriteTarget::Role(role), ra, rd),
            (OverwriteTarget::Member(ann), ma | view, md & !view),
        ] {
            world.set_overwrite(voice, Overwrite { target, allow, deny }).unwrap();
        }
        let expected = ((((((base | view) & !ed) | ea) & !rd) | ra) & !(md & !view)) | ma | view;
        let expected = if admin { Permissions::ALL } else { expected };
        prop_assert_eq!(world.permissions(voice, ann).unwrap(), expected);
    }
}
