//! Tests of the configuration as a whole; the broken files are in `tests/broken`, told to the real binary.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn resolved(text: &str, variables: &[(&str, &str)], flags: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    resolve(Some(("g.toml", text)), &variable, flags)
}

#[test]
fn flags_come_before_variables_before_the_file_before_defaults() {
    let text = "language = \"de\"\nvoice = \"amy\"\n[brain]\nurl = \"http://file\"\nmodel = \"file\"\n";
    let variables = [
        ("GOOBSTER_BRAIN_URL", "http://variable"),
        ("GOOBSTER_VOICE", "joe"),
        ("GOOBSTER_LANGUAGE", ""),
    ];
    let flags = Overrides::default().with("brain.url", "--brain-url", Some("http://flag"));
    let loaded = resolved(text, &variables, &flags).unwrap();
    let config = &loaded.config;
    assert_eq!(config.brain.url.as_deref(), Some("http://flag"));
    assert_eq!(loaded.place("brain.url"), Place::Flag("--brain-url"));
    assert_eq!(config.voice.as_deref(), Some("joe"));
    assert_eq!(loaded.place("voice").to_string(), "GOOBSTER_VOICE");
    assert_eq!(config.brain.model.as_deref(), Some("file"));
    assert_eq!(loaded.place("brain.model").to_string(), "g.toml:5:9");
    // A variable that is empty is unset.
    assert_eq!(config.language.as_deref(), Some("de"));
    assert_eq!(loaded.place("limits.total"), Place::Default);
}

#[test]
fn a_flag_that_clap_took_from_the_environment_is_told_as_the_variable() {
    let flags = Overrides::default().with("profile", "--profile", Some("small"));
    let loaded = resolved("", &[("GOOBSTER_PROFILE", "small")], &flags).unwrap();
    assert_eq!(loaded.place("profile").to_string(), "GOOBSTER_PROFILE");
    let loaded = resolved("", &[("GOOBSTER_PROFILE", "standard")], &flags).unwrap();
    assert_eq!(loaded.place("profile"), Place::Flag("--profile"));
}

#[test]
fn former_names_still_work_and_say_so() {
    let text = "[session]\ntimeout_s = 90\n[conversation]\npatience_ms = 800\n[limits]\nvoice_s = 20\nwarn_before_s = 8\n";
    let loaded = resolved(text, &[], &Overrides::default()).unwrap();
    assert_eq!(loaded.config.sessions.session_timeout.as_secs(), 90);
    assert_eq!(loaded.config.conversation.endpoint.patience.as_millis(), 800);
    assert_eq!(loaded.config.limits.voice.get(), 20_000);
    assert_eq!(loaded.notes.len(), 4);
    assert!(
        loaded
            .notes
            .iter()
            .any(|note| note.contains("timeout = \"1m 30s\"")),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn the_commented_file_sets_nothing_and_each_line_of_it_may_be_set() {
    let page = page::commented();
    assert_eq!(Config::parse(&page).unwrap(), Config::default());
    let lines: Vec<&str> = page.lines().collect();
    let mut tried = 0;
    for number in 0..lines.len() {
        let Some(line) = lines[number]
            .strip_prefix('#')
            .filter(|line| !line.starts_with(' '))
        else {
            continue;
        };
        let mut changed = lines.clone();
        changed[number] = line;
        match Config::parse(&changed.join("\n")) {
            Ok(_) => {}
            // What only other builds can do is refused with a word.
            Err(why) if line.starts_with("otlp_endpoint") && !cfg!(feature = "otel") => {
                assert!(why.contains("built without traces; build it with"), "{why}");
            }
            Err(why) => panic!("{line}: {why}"),
        }
        tried += 1;
    }
    assert_eq!(tried, SETTINGS.len());
}

#[test]
fn the_reference_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mark = "<!-- made of the table of settings; GOOBSTER_WRITE_DOCS=1 cargo test -p goobster-bot writes it anew -->\n\n";
    let (head, tables) = page.split_once(mark).expect("the mark stands in the page");
    let wanted = page::reference();
    if std::env::var_os("GOOBSTER_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{mark}{}\n", wanted.trim_end())).unwrap();
        return;
    }
    assert_eq!(
        tables.trim_end(),
        wanted.trim_end(),
        "docs/configuration.md is out of step"
    );
}

#[test]
fn the_documented_configuration_is_one() {
    let page = include_str!("../../../../docs/discord.md");
    let block = page
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let config = Config::parse(block).unwrap();
    // What it shows are the defaults, the chat server aside.
    assert!(config.brain.url.is_some());
    let expected = Config {
        brain: config.brain.clone(),
        language: config.language.clone(),
        ..Config::default()
    };
    assert_eq!(config, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is accepted, those who use it accept as well.
    #[test]
    fn what_is_accepted_is_accepted_by_everybody(
        picks in proptest::collection::vec((0..SETTINGS.len(), any::<u64>()), 0..6)
    ) {
        let mut text = String::new();
        for (index, raw) in picks {
            let setting = &SETTINGS[index];
            let within = |from: u64, to: u64| from + raw % (to - from + 1);
            let value = match setting.kind {
                Kind::Span(from, to) => Value::Span(std::time::Duration::from_millis(within(from, to.min(from.saturating_mul(64).max(64))))),
                Kind::Count(from, to) => Value::Count(within(from, to)),
                _ => continue,
            };
            if !text.contains(&format!("{} =", setting.key)) {
                let _ = writeln!(text, "{} = {}", setting.key, value.to_toml());
            }
        }
        if let Ok(config) = Config::parse(&text) {
            prop_assert!(config.sessions.check().is_ok());
            prop_assert!(config.limits.validate().is_ok());
            prop_assert!(config.conversation.endpoint().check().is_ok());
        }
    }

    /// No text makes it panic, and each refusal has its place.
    #[test]
    fn any_text_is_accepted_or_told(text in "[\\PC\n]{0,200}|(\\[[a-z.]{0,9}\\]\n|[a-z_.]{1,9} ?= ?[\"0-9a-z\\[{]{0,9}\n){0,8}") {
        if let Err(problems) = resolved(&text, &[], &Overrides::default()) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let told = problem.to_string();
                prop_assert!(told.starts_with("g.toml:") && told.contains("; ") && !told.contains('\n'), "{}", told);
            }
        }
    }
}
