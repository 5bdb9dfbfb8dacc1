//! Answers every request with one line of JSON.
mod answer;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn serve(stream: TcpStream, count: u64) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let body = answer::answer(first.split(' ').nth(1).unwrap_or("/"), count);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    reader.into_inner().write_all((head + &body).as_bytes())
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}"))?;
    println!("listening on {port}");
    for (count, stream) in listener.incoming().enumerate() {
        if let Err(error) = stream.and_then(|stream| serve(stream, count as u64)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
