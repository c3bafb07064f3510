//! The fetcher against a real server on this machine that misbehaves on purpose.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::manifest::Origin;

/// What the server does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// All that is asked for, with 206 for a range.
    Well,
    /// Only this many bytes of what it announced, then it hangs up.
    Cut(usize),
    /// All of the file with 200, whatever range was asked for.
    NoRanges,
    /// 206 from another place than asked for.
    WrongPlace,
    /// A status and no content.
    Status(u16),
    /// Nothing, for a long time.
    Hang,
    /// More than the file has.
    TooMuch,
}

struct Server {
    url: String,
    /// The `Range` header of each request.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

/// Serves `content`; the answers in turn, the last one for ever.
fn serve(content: Vec<u8>, answers: Vec<Answer>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/files/p-1.tgz", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ranges);
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let answer = *answers.get(i).or(answers.last()).unwrap();
            // A client that hangs up mid-answer is part of the test.
            let _ = respond(stream.unwrap(), &content, answer, &seen);
        }
    });
    Server { url, ranges }
}

fn respond(
    mut stream: TcpStream,
    content: &[u8],
    answer: Answer,
    seen: &Mutex<Vec<Option<String>>>,
) -> std::io::Result<()> {
    let mut range = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range:") {
            range = Some(value.trim().to_owned());
        }
    }
    seen.lock().unwrap().push(range.clone());
    let from = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (status, from) = match (answer, from) {
        (Answer::Status(code), _) => (code, content.len()),
        (Answer::NoRanges, _) | (_, None) => (200, 0),
        (Answer::WrongPlace, Some(from)) => (206, from - 1),
        (_, Some(from)) => (206, from),
    };
    if answer == Answer::Hang {
        std::thread::sleep(Duration::from_secs(20));
        return Ok(());
    }
    let mut body = content[from..].to_vec();
    if answer == Answer::TooMuch {
        body.extend_from_slice(&[0; 1_000]);
    }
    let mut head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if status == 206 {
        let range = format!(
            "Content-Range: bytes {from}-{}/{}\r\n",
            content.len() - 1,
            content.len()
        );
        head.push_str(&range);
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    let n = if let Answer::Cut(n) = answer {
        n.min(body.len())
    } else {
        body.len()
    };
    stream.write_all(&body[..n])
}

/// A registry whose files are on the test's server, and whose client works or does not.
struct Fake {
    url: Result<String, String>,
    client: Result<Vec<u8>, String>,
}

impl Registry for Fake {
    fn address(&self, _: &Agent, _: &Package, _: &Path) -> Result<String, String> {
        self.url.clone()
    }
    fn client_download(&self, package: &Package, folder: &Path) -> Result<(), String> {
        fs::write(folder.join(package.file), self.client.clone()?).map_err(|e| e.to_string())
    }
    fn client_command(&self, _: &Package) -> Option<String> {
        Some("some-client fetch p".to_owned())
    }
}

fn no_client(url: &str) -> Fake {
    Fake {
        url: Ok(url.to_owned()),
        client: Err("the client is offline".to_owned()),
    }
}

fn content() -> Vec<u8> {
    (0..300_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn package_of(content: &[u8]) -> Package {
    let sha256 = Box::leak(verify::digest(content).into_boxed_str());
    Package {
        origin: Origin::Pypi,
        name: "p",
        version: "1",
        file: "p-1.tgz",
        size: content.len() as u64,
        sha256,
    }
}

fn quick() -> FetchOptions {
    FetchOptions {
        patience: Patience {
            connect: Duration::from_secs(2),
            read: Duration::from_millis(300),
            pause: Duration::from_millis(5),
            tries: 3,
        },
        ..FetchOptions::default()
    }
}

#[derive(Default)]
struct Recorded {
    positions: Vec<u64>,
    notes: Vec<String>,
}

impl Progress for Recorded {
    fn begin(&mut self, step: &str, total: Option<u64>) {
        self.notes.push(format!("begin {step} {total:?}"));
    }
    fn at(&mut self, position: u64) {
        self.positions.push(position);
    }
    fn end(&mut self, outcome: &str) {
        self.notes.push(format!("end {outcome}"));
    }
    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
}

/// Fetches from a server that answers so; the result, what the user saw, and the ranges that were asked for.
fn fetch(
    answers: &[Answer],
) -> (
    Result<PathBuf, ModelError>,
    Recorded,
    Vec<Option<String>>,
    tempfile::TempDir,
) {
    let content = content();
    let server = serve(content.clone(), answers.to_vec());
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Recorded::default();
    let options = quick();
    let registry = no_client(&server.url);
    let result =
        Fetcher::new(&options, dir.path().to_owned(), &registry).get(&package_of(&content), &mut seen);
    if let Ok(path) = &result {
        assert_eq!(fs::read(path).unwrap(), content);
        assert!(!dir.path().join("p-1.tgz.part").exists());
    }
    let ranges = server.ranges.lock().unwrap().clone();
    (result, seen, ranges, dir)
}

#[test]
fn a_plain_download_reports_its_progress() {
    let (result, seen, ranges, _dir) = fetch(&[Answer::Well]);
    result.unwrap();
    assert_eq!(ranges, [None]);
    assert!(seen.positions.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(seen.positions.last(), Some(&300_000));
    assert_eq!(seen.notes, ["begin p 1 Some(300000)", "end downloaded"]);
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (result, seen, ranges, _dir) = fetch(&[Answer::Cut(100_000), Answer::Cut(50_000), Answer::Well]);
    result.unwrap();
    assert_eq!(
        ranges,
        [
            None,
            Some("bytes=100000-".to_owned()),
            Some("bytes=150000-".to_owned())
        ]
    );
    assert!(
        seen.notes.iter().any(|n| n.contains("cut at 100000 of 300000")),
        "{:?}",
        seen.notes
    );
}

#[test]
fn an_interrupted_run_is_resumed_by_the_next() {
    let content = content();
    let server = serve(content.clone(), vec![Answer::Well]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p-1.tgz.part"), &content[..123_456]).unwrap();
    let (options, registry) = (quick(), no_client(&server.url));
    let mut fetcher = Fetcher::new(&options, dir.path().to_owned(), &registry);
    let path = fetcher
        .get(&package_of(&content), &mut Recorded::default())
        .unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!(*server.ranges.lock().unwrap(), [Some("bytes=123456-".to_owned())]);
}

#[test]
fn a_server_without_ranges_or_with_wrong_ones_is_survived() {
    let (result, _, ranges, _dir) = fetch(&[Answer::Cut(100_000), Answer::NoRanges]);
    result.unwrap();
    assert_eq!(ranges.len(), 2);
    let (result, _, ranges, _dir) = fetch(&[Answer::Cut(100_000), Answer::WrongPlace, Answer::Well]);
    result.unwrap();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned()), None]);
}

#[test]
fn a_busy_server_is_asked_again_and_an_absent_file_is_not() {
    let (result, _, ranges, _dir) = fetch(&[Answer::Status(503), Answer::Status(429), Answer::Well]);
    result.unwrap();
    assert_eq!(ranges.len(), 3);
    let (result, _, ranges, _dir) = fetch(&[Answer::Status(404)]);
    assert_eq!(ranges.len(), 1);
    assert!(result.unwrap_err().to_string().contains("404"));
}

#[test]
fn a_silent_server_times_out() {
    let began = Instant::now();
    let (result, _, ranges, _dir) = fetch(&[Answer::Hang]);
    let e = result.unwrap_err().to_string();
    assert!(e.contains("timeout") && e.contains("3 tries"), "{e}");
    assert!(!ranges.is_empty());
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn more_than_announced_is_refused() {
    let (result, _, _, dir) = fetch(&[Answer::TooMuch]);
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("more than the expected 300000 bytes")
    );
    assert!(fs::metadata(dir.path().join("p-1.tgz.part")).map_or(0, |m| m.len()) <= 300_000);
}

#[test]
fn a_wrong_digest_is_refused_and_every_way_is_named() {
    let content = content();
    let server = serve(vec![7; content.len()], vec![Answer::Well]);
    let dir = tempfile::tempdir().unwrap();
    let from = tempfile::tempdir().unwrap();
    let options = FetchOptions {
        from: Some(from.path().to_owned()),
        ..quick()
    };
    let registry = no_client(&server.url);
    let mut fetcher = Fetcher::new(&options, dir.path().to_owned(), &registry);
    let e = fetcher
        .get(&package_of(&content), &mut Recorded::default())
        .unwrap_err()
        .to_string();
    for way in [
        from.path().join("p-1.tgz").to_str().unwrap(),
        &server.url,
        "wrong SHA-256",
        "some-client fetch p: the client is offline",
        "--from",
        "put a file named p-1.tgz",
    ] {
        assert!(e.contains(way), "{way} is not in: {e}");
    }
    assert!(!dir.path().join("p-1.tgz.part").exists(), "nothing of it is kept");
}

#[test]
fn the_client_is_the_last_way_and_its_file_is_checked_too() {
    let content = content();
    let dir = tempfile::tempdir().unwrap();
    let options = quick();
    for (sent, good) in [(content.clone(), true), (b"something else".to_vec(), false)] {
        let registry = Fake {
            url: Err("the index is down".to_owned()),
            client: Ok(sent),
        };
        let mut fetcher = Fetcher::new(&options, dir.path().to_owned(), &registry);
        let result = fetcher.get(&package_of(&content), &mut Recorded::default());
        match result {
            Ok(path) => {
                assert!(good);
                fs::remove_file(path).unwrap();
            }
            Err(e) => assert!(
                !good && e.to_string().contains("bytes where 300000 were expected"),
                "{e}"
            ),
        }
    }
}

#[test]
fn a_folder_of_packages_needs_no_network_and_offline_says_so() {
    let content = content();
    let (dir, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = FetchOptions {
        from: Some(from.path().to_owned()),
        offline: true,
        ..quick()
    };
    let registry = Fake {
        url: Err("never asked".to_owned()),
        client: Err("never asked".to_owned()),
    };
    let mut fetcher = Fetcher::new(&options, dir.path().to_owned(), &registry);
    let e = fetcher
        .get(&package_of(&content), &mut Recorded::default())
        .unwrap_err()
        .to_string();
    assert!(e.contains("offline") && !e.contains("never asked"), "{e}");
    fs::write(from.path().join("p-1.tgz"), &content).unwrap();
    let path = fetcher
        .get(&package_of(&content), &mut Recorded::default())
        .unwrap();
    assert_eq!(path, from.path().join("p-1.tgz"));
}

#[test]
fn nobody_is_asked_when_discord_alone_may_be_contacted() {
    let content = content();
    let dir = tempfile::tempdir().unwrap();
    let server = serve(content.clone(), vec![Answer::Well]);
    let options = FetchOptions {
        network: Network::DiscordOnly,
        ..quick()
    };
    let registry = Fake {
        url: Ok(server.url.clone()),
        client: Ok(content.clone()),
    };
    let mut fetcher = Fetcher::new(&options, dir.path().to_owned(), &registry);
    let error = fetcher
        .get(&package_of(&content), &mut Recorded::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("PyPI is not contacted") || error.contains("npm is not contacted"),
        "{error}"
    );
    assert!(error.contains("network = \"discord-only\""), "{error}");
    assert!(server.ranges.lock().unwrap().is_empty());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn logins_are_not_shown() {
    assert_eq!(without_login("https://me:secret@host/x@y"), "https://host/x@y");
    assert_eq!(without_login("https://host/x"), "https://host/x");
}
