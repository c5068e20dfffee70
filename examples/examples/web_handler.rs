//! Scores the pictures that are sent to a web server: one scorer serves all threads, and a bad picture is a bad request.
//!
//! ```text
//! cargo run --release --example web_handler -- 127.0.0.1:8080
//! curl --data-binary @photograph.jpg http://127.0.0.1:8080/
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use iqa_models::{Device, Scorer};

/// Bytes of the largest picture that is taken.
const LARGEST: u64 = 32 << 20;

/// What a handler of any web framework does: the bytes of a picture to a status and a body.
fn handle(scorer: &Scorer, picture: Vec<u8>) -> (&'static str, String) {
    match scorer.score_single(picture) {
        Ok(score) => ("200 OK", format!("{{\"model\":\"{}\",\"score\":{}}}\n", scorer.name(), score.value)),
        Err(error) => ("400 Bad Request", format!("{error}\n")),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let scorer = Arc::new(Scorer::new("wadiqam_nr", &Device::flex())?);
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    for connection in listener.incoming() {
        let (scorer, connection) = (Arc::clone(&scorer), connection?);
        std::thread::spawn(move || {
            if let Err(error) = serve(&scorer, connection) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// As much of HTTP as `curl` needs; a real server uses a framework.
fn serve(scorer: &Scorer, mut connection: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.by_ref().take(8192).read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse::<u64>().unwrap_or(0).min(LARGEST);
        }
    }
    let mut picture = Vec::new();
    reader.take(length).read_to_end(&mut picture)?;
    let (status, body) = handle(scorer, picture);
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
