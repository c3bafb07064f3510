//! `goobster config`: what is wrong is told with its line, its key and a remedy; what is written is accepted; what is shown
//! says where it came from.

use super::*;

/// A problem that a broken file expects: `#! LINE KEY: a part of the remedy`.
fn expected(text: &str) -> Vec<(usize, &str, &str)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("#! "))
        .map(|line| {
            let (number, rest) = line.split_once(' ').expect("a line number");
            let (key, remedy) = rest.split_once(": ").expect("a key and a remedy");
            (number.parse().expect("a number"), key, remedy)
        })
        .collect()
}

#[test]
fn each_broken_file_is_refused_with_line_key_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 30, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.to_str().unwrap();
        let output = run(&["config", "check", name]);
        let said = stderr(&output);
        assert_eq!(code(&output), 5, "{name}: {said}");
        assert!(stdout(&output).is_empty(), "{name}");
        assert!(
            !said.contains("not to be repeated") && !said.contains("not-to-be-repeated"),
            "{said}"
        );
        let told: Vec<&str> = said.lines().collect();
        let wanted = expected(&text);
        assert!(!wanted.is_empty(), "{name} says what it expects");
        assert_eq!(told.len(), wanted.len(), "{name}:\n{said}");
        for (line, (number, key, remedy)) in told.into_iter().zip(wanted) {
            let rest = line
                .strip_prefix(&format!("{name}:{number}:"))
                .unwrap_or_else(|| panic!("{line}: line {number}"));
            let (column, rest) = rest.split_once(": ").expect("a column");
            assert!(column.parse::<usize>().is_ok_and(|column| column > 0), "{line}");
            let rest = rest
                .strip_prefix(&format!("{key}: "))
                .unwrap_or_else(|| panic!("{line}: key {key}"));
            let (reason, told) = rest
                .split_once("; ")
                .unwrap_or_else(|| panic!("{line}: a remedy"));
            assert!(
                !reason.is_empty() && told.contains(remedy),
                "{line}: remedy {remedy}"
            );
        }
    }
}

#[test]
fn what_init_writes_is_accepted_and_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("goobster.toml");
    let name = file.to_str().unwrap();
    let init = run(&["config", "init", name]);
    assert_eq!(code(&init), 0, "{}", stderr(&init));
    let check = goobster()
        .env_remove("DISCORD_TOKEN")
        .args(["config", "check", name])
        .output()
        .unwrap();
    assert_eq!(code(&check), 0, "{}", stderr(&check));
    assert!(stdout(&check).contains("is in order"), "{}", stdout(&check));
    // It is what stdout gets without a file.
    assert_eq!(
        stdout(&run(&["config", "init"])),
        std::fs::read_to_string(&file).unwrap()
    );

    std::fs::write(&file, "profile = \"small\"\n").unwrap();
    let again = run(&["config", "init", name]);
    assert_eq!(code(&again), 3, "{}", stderr(&again));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "profile = \"small\"\n");
    assert_eq!(code(&run(&["config", "init", name, "--force"])), 0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("[sessions]"));
}

#[test]
fn show_says_where_each_value_came_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    let text =
        "[sessions]\ntimeout = \"2m\"\nmax_resets = 5\n[store]\nredis = \"redis://me:hush-hush@host/\"\n";
    std::fs::write(&file, text).unwrap();
    let output = goobster()
        .env("GOOBSTER_SESSIONS_MAX_RESETS", "7")
        .env("GOOBSTER_PROFILE", "small")
        .args(["config", "show", "--json", "--wake-name", "Rosie", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(!stdout(&output).contains("hush-hush"));
    let events = events(&output);
    let told = |key: &str| {
        let found = of(&events, "setting")
            .into_iter()
            .find(|event| event["key"] == key);
        found.unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!(told("sessions.timeout")["value"], "2m");
    assert_eq!(told("sessions.timeout")["from"]["origin"], "file");
    assert_eq!(told("sessions.timeout")["from"]["line"], 2);
    assert_eq!(told("sessions.max_resets")["value"], 7);
    assert_eq!(
        told("sessions.max_resets")["from"]["name"],
        "GOOBSTER_SESSIONS_MAX_RESETS"
    );
    assert_eq!(told("profile")["from"]["origin"], "environment");
    assert_eq!(told("conversation.wake_name")["from"]["name"], "--wake-name");
    assert_eq!(told("limits.total")["from"]["origin"], "default");
    // A warning a minute before the end of two minutes makes no sense: it follows the timeout.
    assert_eq!(told("sessions.idle_warning")["value"], "24s");
    assert_eq!(told("sessions.idle_warning")["from"]["name"], "sessions.timeout");
    assert_eq!(of(&events, "summary").len(), 1);
}

#[test]
fn a_variable_is_refused_like_a_line() {
    let output = goobster()
        .env("GOOBSTER_LIMITS_TOTAL", "many")
        .args(["config", "show"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 5);
    let said = stderr(&output);
    assert!(
        said.starts_with("GOOBSTER_LIMITS_TOTAL: limits.total: ") && said.contains("; write 1 to 1000000"),
        "{said}"
    );
}

#[test]
fn what_is_no_text_or_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(&file, b"profile = \"small\"\nvoice = \"\xff\"\n").unwrap();
    let output = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(code(&output), 5);
    assert!(
        stderr(&output).contains(":2:10: ") && stderr(&output).contains("UTF-8"),
        "{}",
        stderr(&output)
    );
    let output = run(&["config", "check", dir.path().join("none.toml").to_str().unwrap()]);
    assert_eq!(code(&output), 5);
    assert!(stderr(&output).contains("config init"), "{}", stderr(&output));
    let output = run(&["config", "check", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 5);
}

#[test]
fn json_tells_each_problem_for_machines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(&file, "[limits]\ntotal = 0\n").unwrap();
    let output = run(&["config", "check", "--json", file.to_str().unwrap()]);
    assert_eq!(code(&output), 5);
    let events = events(&output);
    let problem = of(&events, "problem")[0];
    assert_eq!(
        (&problem["line"], &problem["key"]),
        (&Value::from(2), &Value::from("limits.total"))
    );
    assert_eq!(events.last().unwrap()["exit_code"], 5);
}
