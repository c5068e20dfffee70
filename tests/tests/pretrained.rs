//! Downloads of pretrained weights, from a server on loopback that behaves, misbehaves and breaks off.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iqa_backbones::BackboneError;
use iqa_backbones::pretrained::{CACHE_VARIABLE, OFFLINE_VARIABLE, PretrainedFile, PretrainedSource};

/// SHA-256 of [`content`], by Python's `hashlib`:
/// `sha256(bytes((i * i >> 7) & 255 for i in range(300_000))).hexdigest()`.
const SHA256: &str = "d5397f395028a36a877582420027c07a9dffa109caf6625ee9fb42ba86859168";
const LENGTH: usize = 300_000;
/// Where connections break off.
const CUT: usize = 100_000;
const FILE_NAME: &str = "weights-d5397f39.pth";
/// Environment variable: what [`child`] downloads.
const CHILD_URL: &str = "IQA_TEST_URL";

fn content() -> Vec<u8> {
    (0..LENGTH).map(|i| ((i * i) >> 7) as u8).collect()
}

#[derive(Clone)]
struct Request(String);

impl Request {
    fn path(&self) -> &str {
        self.0.split(' ').nth(1).expect("a path")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.0.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// First byte of the range asked for.
    fn start(&self) -> Option<usize> {
        self.header("range").map(|range| {
            let start = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
            start.and_then(|start| start.parse().ok()).expect("one open range")
        })
    }
}

struct Server {
    url: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// One connection after the other; `answer` gets the number of the request, from zero.
    fn new(answer: impl Fn(usize, &Request, &mut TcpStream) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                let lines = BufReader::new(stream.try_clone().expect("the same")).lines();
                let head: Vec<String> =
                    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let request = Request(head.join("\n"));
                log.lock().expect("the log").push(request.clone());
                // A client that hangs up is part of some tests.
                let _ = answer(number, &request, &mut stream);
            }
        });
        Self { url: Box::leak(format!("http://{address}/{FILE_NAME}").into_boxed_str()), requests }
    }

    fn file(&self) -> PretrainedFile {
        file(self.url)
    }

    /// The starts of the ranges asked for so far.
    fn starts(&self) -> Vec<Option<usize>> {
        self.requests.lock().expect("the log").iter().map(Request::start).collect()
    }
}

fn file(url: &'static str) -> PretrainedFile {
    PretrainedFile { name: "weights.test", file_name: FILE_NAME, url, sha256: "d5397f39", terms: "" }
}

/// Status line and headers of an answer; the connection ends with it.
fn head(stream: &mut TcpStream, status: &str, length: usize, headers: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n")
}

fn whole(stream: &mut TcpStream, headers: &str) -> io::Result<()> {
    head(stream, "200 OK", LENGTH, headers)?;
    stream.write_all(&content())
}

/// The whole file is announced, and its start is sent.
fn cut(stream: &mut TcpStream, headers: &str) -> io::Result<()> {
    head(stream, "200 OK", LENGTH, headers)?;
    stream.write_all(&content()[..CUT])
}

/// What was asked for, be it a range or everything.
fn ranged(request: &Request, stream: &mut TcpStream, headers: &str) -> io::Result<()> {
    match request.start() {
        None => whole(stream, headers),
        Some(start) if start >= LENGTH => {
            head(stream, "416 Range Not Satisfiable", 0, &format!("Content-Range: bytes */{LENGTH}\r\n"))
        }
        Some(start) => {
            let range = format!("Content-Range: bytes {start}-{}/{LENGTH}\r\n{headers}", LENGTH - 1);
            head(stream, "206 Partial Content", LENGTH - start, &range)?;
            stream.write_all(&content()[start..])
        }
    }
}

fn status(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    head(stream, status, 4, "")?;
    stream.write_all(b"page")
}

fn source(folder: &Path) -> PretrainedSource {
    PretrainedSource {
        path: None,
        cache: Some(folder.into()),
        offline: false,
        timeout: Duration::from_secs(20),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort();
    names
}

/// The file is there, whole, and nothing else is.
fn assert_arrived(folder: &Path) {
    assert_eq!(names(folder), [FILE_NAME]);
    assert!(std::fs::read(folder.join(FILE_NAME)).expect("reads") == content());
}

fn leave_part(folder: &Path, bytes: &[u8], etag: Option<&str>) {
    std::fs::write(folder.join(format!("{FILE_NAME}.part")), bytes).expect("writes");
    if let Some(etag) = etag {
        std::fs::write(folder.join(format!("{FILE_NAME}.part.etag")), etag).expect("writes");
    }
}

#[test]
fn a_file_arrives_whole_and_needs_no_network_again() {
    let server = Server::new(|_, _, stream| whole(stream, ""));
    let folder = folder();
    // The first download creates the cache folder.
    let cache = folder.path().join("new/cache");
    let path = source(&cache).locate(&server.file()).expect("downloads");
    assert_eq!(path, cache.join(FILE_NAME));
    assert_arrived(&cache);
    for offline in [false, true] {
        let again = PretrainedSource { offline, ..source(&cache) };
        assert_eq!(again.locate(&server.file()).expect("is there"), path);
    }
    // Damage is told, and neither used nor repaired behind the user's back.
    std::fs::write(&path, b"damage").expect("writes");
    let error = source(&cache).locate(&server.file()).expect_err("damaged");
    assert!(matches!(error, BackboneError::PretrainedDigest { .. }), "{error}");
    assert_eq!(server.starts(), [None]);
}

#[test]
fn a_length_that_the_server_does_not_tell_is_no_matter() {
    let server = Server::new(|_, _, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&content())
    });
    let folder = folder();
    source(folder.path()).locate(&server.file()).expect("downloads");
    assert_arrived(folder.path());
}

#[test]
fn another_file_is_refused_with_both_digests_and_not_kept() {
    let server = Server::new(|_, _, stream| whole(stream, ""));
    let folder = folder();
    let other = PretrainedFile { sha256: "397923af", ..server.file() };
    let error = source(folder.path()).locate(&other).expect_err("another digest");
    assert!(matches!(error, BackboneError::DownloadDigest { .. }), "{error}");
    let message = error.to_string();
    for part in [server.url, "397923af", SHA256] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(names(folder.path()), [format!("{FILE_NAME}.lock")]);
    assert_eq!(server.starts(), [None]);
}

#[test]
fn a_cut_connection_goes_on_where_it_broke() {
    let etag = "ETag: \"v1\"\r\n";
    let server = Server::new(move |number, request, stream| match number {
        0 => cut(stream, etag),
        _ => ranged(request, stream, etag),
    });
    let folder = folder();
    source(folder.path()).locate(&server.file()).expect("downloads");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, Some(CUT)]);
    assert_eq!(server.requests.lock().expect("the log")[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn a_later_call_goes_on_where_an_earlier_one_stopped() {
    let server = Server::new(|number, request, stream| match number {
        0 => cut(stream, ""),
        1 => status(stream, "404 Not Found"),
        _ => ranged(request, stream, ""),
    });
    let folder = folder();
    source(folder.path()).locate(&server.file()).expect_err("gone");
    assert_eq!(names(folder.path()), [format!("{FILE_NAME}.lock"), format!("{FILE_NAME}.part")]);
    source(folder.path()).locate(&server.file()).expect("downloads the rest");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, Some(CUT), Some(CUT)]);
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let server = Server::new(|number, _, stream| match number {
        0 => cut(stream, ""),
        _ => whole(stream, ""),
    });
    let folder = folder();
    source(folder.path()).locate(&server.file()).expect("downloads");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, Some(CUT)]);
}

#[test]
fn connections_that_bring_nothing_new_end_in_an_error_that_says_what_is_kept() {
    let server = Server::new(|_, _, stream| cut(stream, ""));
    let folder = folder();
    let error = source(folder.path()).locate(&server.file()).expect_err("never complete");
    let BackboneError::Interrupted { received, total, .. } = &error else { panic!("{error}") };
    assert_eq!((*received, *total), (CUT as u64, Some(LENGTH as u64)));
    let message = error.to_string();
    let part = folder.path().join(format!("{FILE_NAME}.part"));
    for part in [server.url, "100000 of 300000", &part.display().to_string()] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(std::fs::metadata(&part).expect("kept").len(), CUT as u64);
}

#[test]
fn a_part_of_another_file_is_replaced() {
    let old = vec![1; CUT];
    let longer = vec![1; LENGTH + 1];
    // Part, its version, whether the server heeds `If-Range`, and the starts then asked for.
    type Case<'a> = (&'a [u8], Option<&'a str>, bool, &'a [Option<usize>]);
    let cases: [Case; 5] = [
        (&old, Some("\"v1\""), true, &[Some(CUT)]),
        (&old, Some("\"v1\""), false, &[Some(CUT), None]),
        // Only the digest tells.
        (&old, None, true, &[Some(CUT), None]),
        (&longer, None, true, &[Some(LENGTH + 1), None]),
        // A version file that is damaged itself.
        (&old, Some("\"v\n1\""), true, &[Some(CUT), None]),
    ];
    for (number, (part, etag, heeds, starts)) in cases.into_iter().enumerate() {
        let v2 = "ETag: \"v2\"\r\n";
        let server = Server::new(move |_, request, stream| match request.header("if-range") {
            Some(version) if heeds && version != "\"v2\"" => whole(stream, v2),
            _ => ranged(request, stream, v2),
        });
        let folder = folder();
        leave_part(folder.path(), part, etag);
        source(folder.path()).locate(&server.file()).expect("downloads");
        assert_arrived(folder.path());
        assert_eq!(server.starts(), starts, "case {number}");
    }
}

#[test]
fn a_complete_part_only_gets_its_name() {
    let server = Server::new(|_, _, stream| status(stream, "404 Not Found"));
    let folder = folder();
    leave_part(folder.path(), &content(), Some("\"v1\""));
    source(folder.path()).locate(&server.file()).expect("is complete");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), []);
}

#[test]
fn a_missing_file_is_told_at_once() {
    let server = Server::new(|_, _, stream| status(stream, "404 Not Found"));
    let folder = folder();
    let error = source(folder.path()).locate(&server.file()).expect_err("no such file");
    assert!(matches!(error, BackboneError::HttpStatus { status: 404, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains(server.url) && message.contains("404"), "{message}");
    assert_eq!(server.starts(), [None]);
}

#[test]
fn a_busy_or_silent_server_is_asked_again() {
    let server = Server::new(|number, request, stream| match number {
        0 => status(stream, "503 Service Unavailable"),
        // Silent until the client hangs up.
        1 => {
            cut(stream, "")?;
            io::copy(stream, &mut io::sink()).map(drop)
        }
        _ => ranged(request, stream, ""),
    });
    let folder = folder();
    let source = PretrainedSource { timeout: Duration::from_secs(1), ..source(folder.path()) };
    source.locate(&server.file()).expect("downloads");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, None, Some(CUT)]);
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/{FILE_NAME}", listener.local_addr().expect("an address"));
    drop(listener);
    let file = file(Box::leak(url.into_boxed_str()));
    let folder = folder();
    let error = source(folder.path()).locate(&file).expect_err("nobody listens");
    assert!(matches!(error, BackboneError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(file.url), "{error}");
    assert_eq!(names(folder.path()), [format!("{FILE_NAME}.lock")]);
}

#[test]
fn redirects_are_followed_with_the_range() {
    let server = Server::new(|_, request, stream| match request.path() {
        "/elsewhere" => ranged(request, stream, ""),
        _ => head(stream, "302 Found", 0, "Location: /elsewhere\r\n"),
    });
    let folder = folder();
    leave_part(folder.path(), &content()[..CUT], None);
    source(folder.path()).locate(&server.file()).expect("downloads");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [Some(CUT), Some(CUT)]);
}

/// No test of its own: what other tests run as a process, with the environment of a user.
#[test]
fn child() {
    let Ok(url) = std::env::var(CHILD_URL) else { return };
    if let Err(error) = PretrainedSource::from_env().locate(&file(Box::leak(url.into_boxed_str()))) {
        eprintln!("{error}");
        std::process::exit(3);
    }
}

fn child_command(url: &str, cache: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "child", "--nocapture"]);
    command.env(CHILD_URL, url).env(CACHE_VARIABLE, cache).env_remove(OFFLINE_VARIABLE);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn message(output: Output) -> String {
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn of_two_processes_one_downloads_and_both_find_the_file() {
    // Slow enough for the second to come while the first downloads.
    let server = Server::new(|_, _, stream| {
        cut(stream, "")?;
        std::thread::sleep(Duration::from_millis(800));
        stream.write_all(&content()[CUT..])
    });
    let folder = folder();
    let children: Vec<_> =
        (0..2).map(|_| child_command(server.url, folder.path()).spawn().expect("starts")).collect();
    for child in children {
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None]);
}

#[test]
fn what_a_killed_process_had_is_kept() {
    let server = Server::new(|number, request, stream| match number {
        0 => {
            cut(stream, "")?;
            io::copy(stream, &mut io::sink()).map(drop)
        }
        _ => ranged(request, stream, ""),
    });
    let folder = folder();
    let part = folder.path().join(format!("{FILE_NAME}.part"));
    let mut child = child_command(server.url, folder.path()).spawn().expect("starts");
    let start = Instant::now();
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < CUT as u64 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing arrives");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("stops");
    child.wait().expect("ends");
    source(folder.path()).locate(&server.file()).expect("downloads the rest");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, Some(CUT)]);
}

#[test]
fn offline_says_which_file_to_put_where() {
    let server = Server::new(|_, _, stream| whole(stream, ""));
    let folder = folder();
    let run = |value: &str| {
        child_command(server.url, folder.path()).env(OFFLINE_VARIABLE, value).output().expect("runs")
    };
    let message = message(run("1"));
    let wanted = folder.path().join(FILE_NAME).display().to_string();
    for part in ["weights.test", server.url, &wanted, OFFLINE_VARIABLE] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
    assert_eq!(server.starts(), []);
    assert!(run("0").status.success());
    assert_arrived(folder.path());
}

#[cfg(target_os = "linux")]
#[test]
fn the_cache_is_where_the_platform_has_it() {
    let server = Server::new(|_, _, stream| whole(stream, ""));
    let folder = folder();
    let mut child = child_command(server.url, Path::new(""));
    let output = child.env("XDG_CACHE_HOME", folder.path()).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_arrived(&folder.path().join("iqa-models"));
}

/// A limit on the size of files stands for a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_what_came_is_kept() {
    let server = Server::new(|_, request, stream| ranged(request, stream, ""));
    let folder = folder();
    let child = child_command(server.url, folder.path());
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$0" "$@""#]).arg(child.get_program());
    limited.args(child.get_args()).envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let message = message(limited.env_remove(OFFLINE_VARIABLE).output().expect("runs"));
    let part = folder.path().join(format!("{FILE_NAME}.part"));
    assert!(message.contains(&part.display().to_string()), "{message}");
    let kept = std::fs::metadata(&part).expect("kept").len() as usize;
    assert!((1..LENGTH).contains(&kept));
    source(folder.path()).locate(&server.file()).expect("downloads the rest");
    assert_arrived(folder.path());
    assert_eq!(server.starts(), [None, Some(kept)]);
}
