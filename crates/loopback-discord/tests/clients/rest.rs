//! REST as serenity's own client uses it, with its rate limiter on.

use std::time::{Duration, Instant};

use loopback_discord::world::channel::{Overwrite, OverwriteTarget};
use loopback_discord::world::permissions::Permissions;
use loopback_discord::{Config, Loopback, RestFault, Seen};
use serenity::all::{
    ChannelId, ChannelType, CreateAttachment, CreateCommand, CreateEmbed, CreateMessage, CreateThread,
    EditMessage, EditThread, GuildId, Http, HttpError, UserId,
};
use serenity::http::HttpBuilder;

use crate::support::Place;

fn http(loopback: &Loopback, token: &str) -> Http {
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(loopback.proxy_url()).unwrap())
        .add_root_certificate(reqwest::Certificate::from_pem(loopback.ca_pem().as_bytes()).unwrap())
        .build()
        .unwrap();
    let http = HttpBuilder::new(token).client(client).build();
    http.set_application_id(loopback.world(|w| w.application().get()).into());
    http
}

/// Discord's own error code of a refusal.
fn refusal(error: &serenity::Error) -> (u16, isize) {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(e)) => (e.status_code.as_u16(), e.error.code),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_threads_and_files_round_trip() {
    let place = Place::new().await;
    let http = http(&place.loopback, place.loopback.token());
    let channel = ChannelId::new(place.text.get());
    let embed = CreateEmbed::new().title("Ann").description("a caption");
    let message = CreateMessage::new().content("hello").embed(embed);
    let mut sent = channel.send_message(&http, message).await.unwrap();
    assert_eq!(
        (sent.content.as_str(), sent.embeds[0].title.as_deref()),
        ("hello", Some("Ann"))
    );
    sent.edit(&http, EditMessage::new().content("hello there"))
        .await
        .unwrap();
    let read = channel.message(&http, sent.id).await.unwrap();
    assert_eq!(read.content, "hello there");
    assert!(read.edited_timestamp.is_some() && read.embeds.len() == 1);

    let thread = CreateThread::new("captions").kind(ChannelType::PublicThread);
    let thread = channel
        .create_thread_from_message(&http, sent.id, thread)
        .await
        .unwrap();
    let file = CreateAttachment::bytes(
        b"1\n00:00:00,000 --> 00:00:01,000\nhello\n".to_vec(),
        "captions.srt",
    );
    let with_file = thread
        .id
        .send_message(&http, CreateMessage::new().add_file(file))
        .await
        .unwrap();
    assert_eq!(
        (
            with_file.attachments[0].filename.as_str(),
            with_file.attachments[0].size
        ),
        ("captions.srt", 38)
    );
    let put_away = thread
        .id
        .edit_thread(&http, EditThread::new().archived(true))
        .await
        .unwrap();
    assert!(put_away.thread_metadata.unwrap().archived);
    let bytes = place.loopback.world(|w| {
        let thread = w.channel(place.text).unwrap().last_message;
        assert_eq!(
            thread.map(loopback_discord::world::MessageId::get),
            Some(sent.id.get())
        );
        let thread = loopback_discord::world::ChannelId::new(thread.unwrap().get()).unwrap();
        w.messages(thread).next().unwrap().attachments[0].bytes.clone()
    });
    assert!(bytes.ends_with(b"hello\n"));
    sent.delete(&http).await.unwrap();
    assert_eq!(
        refusal(&channel.message(&http, sent.id).await.unwrap_err()),
        (404, 10_008)
    );
    place.assert_all_routes_known();
}

#[tokio::test]
async fn guilds_members_and_the_application_are_read() {
    let place = Place::new().await;
    let http = http(&place.loopback, place.loopback.token());
    let guild = GuildId::new(place.guild.get());
    let application = http.get_current_application_info().await.unwrap();
    assert_eq!(application.owner.unwrap().name, "owner");
    assert!(
        http.get_bot_gateway()
            .await
            .unwrap()
            .url
            .starts_with("wss://localhost:")
    );
    assert_eq!(guild.to_partial_guild(&http).await.unwrap().name, "den");
    assert_eq!(guild.channels(&http).await.unwrap().len(), 2);
    assert_eq!(
        guild
            .member(&http, UserId::new(place.ann.get()))
            .await
            .unwrap()
            .user
            .name,
        "ann"
    );
    assert_eq!(guild.members(&http, None, None).await.unwrap().len(), 3);
    assert_eq!(
        refusal(&guild.member(&http, UserId::new(5)).await.unwrap_err()),
        (404, 10_007)
    );
    let commands = vec![
        CreateCommand::new("one").description("d"),
        CreateCommand::new("two").description("d"),
    ];
    assert_eq!(guild.set_commands(&http, commands).await.unwrap().len(), 2);
    guild
        .create_command(&http, CreateCommand::new("three").description("d"))
        .await
        .unwrap();
    assert_eq!(guild.get_commands(&http).await.unwrap().len(), 3);
    let bad = guild
        .create_command(&http, CreateCommand::new("Four").description("d"))
        .await
        .unwrap_err();
    assert_eq!(refusal(&bad), (400, 50_035));
    place.assert_all_routes_known();
}

#[tokio::test]
async fn refusals_are_discords_own() {
    let place = Place::new().await;
    let loopback = &place.loopback;
    let http = http(loopback, loopback.token());
    let channel = ChannelId::new(place.text.get());
    let bot = loopback.world(|w| w.bot());
    let deny = |permissions| {
        let target = OverwriteTarget::Member(bot);
        let overwrite = Overwrite {
            target,
            allow: Permissions::NONE,
            deny: permissions,
        };
        loopback
            .world(|w| w.set_overwrite(place.text, overwrite))
            .unwrap();
    };
    deny(Permissions::SEND_MESSAGES);
    assert_eq!(
        refusal(&channel.say(&http, "x").await.unwrap_err()),
        (403, 50_013)
    );
    deny(Permissions::VIEW_CHANNEL);
    assert_eq!(
        refusal(&channel.say(&http, "x").await.unwrap_err()),
        (403, 50_001)
    );
    assert_eq!(
        refusal(&ChannelId::new(1).say(&http, "x").await.unwrap_err()),
        (404, 10_003)
    );
    let stranger = self::http(loopback, "MTIz.wrong.token");
    assert_eq!(refusal(&stranger.get_current_user().await.unwrap_err()).0, 401);
    let unknown = http.get_stickers_of(place.guild.get()).await;
    assert!(unknown.is_err());
    let seen = loopback.recorded().all();
    assert!(
        seen.iter()
            .any(|e| matches!(&e.seen, Seen::UnknownRoute { path, .. } if path.ends_with("/stickers")))
    );
}

trait Stickers {
    async fn get_stickers_of(&self, guild: u64) -> serenity::Result<usize>;
}

impl Stickers for Http {
    async fn get_stickers_of(&self, guild: u64) -> serenity::Result<usize> {
        self.get_guild_stickers(GuildId::new(guild))
            .await
            .map(|s| s.len())
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for() {
    let config = Config {
        message_rate: Some((3, Duration::from_millis(1_500))),
        ..Config::default()
    };
    let place = Place::with(config).await;
    let http = http(&place.loopback, place.loopback.token());
    let channel = ChannelId::new(place.text.get());
    let began = Instant::now();
    for n in 0..5 {
        channel.say(&http, n.to_string()).await.unwrap();
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    let refused = |e: &loopback_discord::Entry| matches!(e.seen, Seen::RateLimited { .. });
    assert!(
        !place.loopback.recorded().all().iter().any(refused),
        "serenity keeps to the headers"
    );
    assert_eq!(place.loopback.world(|w| w.messages(place.text).count()), 5);

    // Unforeseen, it is tried again after the wait that the answer names.
    let fault = RestFault::TooMany {
        retry_after: Duration::from_secs(1),
        global: false,
    };
    place
        .loopback
        .rest_faults()
        .order(Some("GET"), "/users/@me", fault, 1);
    let began = Instant::now();
    http.get_current_user().await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    assert!(place.loopback.recorded().all().iter().any(refused));
    let hits = place.loopback.recorded().all();
    let statuses = hits.iter().filter_map(|e| match &e.seen {
        Seen::Rest { path, status, .. } if path == "/users/@me" => Some(*status),
        _ => None,
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [429, 200]);
}

#[tokio::test]
async fn ordered_faults_happen() {
    let place = Place::new().await;
    let http = http(&place.loopback, place.loopback.token());
    let faults = place.loopback.rest_faults();
    faults.order(None, "/users/@me", RestFault::Status(503), 1);
    assert_eq!(refusal(&http.get_current_user().await.unwrap_err()).0, 503);
    faults.order(None, "/users/@me", RestFault::Cut, 1);
    assert!(matches!(
        http.get_current_user().await.unwrap_err(),
        serenity::Error::Http(HttpError::Request(_))
    ));
    faults.order(None, "/users/@me", RestFault::Late(Duration::from_millis(300)), 1);
    let began = Instant::now();
    http.get_current_user().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn other_hosts_are_refused_and_recorded() {
    let place = Place::new().await;
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(place.loopback.proxy_url()).unwrap())
        .build()
        .unwrap();
    assert!(client.get("https://example.org/").send().await.is_err());
    let seen = place.loopback.recorded();
    seen.wait_for(
        |s| *s == Seen::ForeignHost("example.org".into()),
        Duration::from_secs(1),
    )
    .await
    .unwrap();
    assert!(place.loopback.shutdown().await, "no task is left");
}
