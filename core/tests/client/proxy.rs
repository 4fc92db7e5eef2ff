//! A unix socket before the server that cuts a connection once a chosen call has been sent on.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// When to cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// After the server has answered; the answer is thrown away.
    Answer,
    /// Before the call reaches the server.
    Call,
}

/// The bytes to wait for, and what to do then.
type Armed = Option<(Vec<u8>, Cut)>;

/// Cuts the next connection on which `armed` appears.
pub struct Proxy {
    pub socket: PathBuf,
    armed: Arc<Mutex<Armed>>,
}

impl Proxy {
    pub fn before(server: &Path, socket: PathBuf) -> Proxy {
        let listener = UnixListener::bind(&socket).unwrap();
        let armed = Arc::new(Mutex::new(None));
        let (target, shared) = (server.to_owned(), Arc::clone(&armed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (target, shared) = (target.clone(), Arc::clone(&shared));
                thread::spawn(move || drop(relay(client, &target, &shared)));
            }
        });
        Proxy { socket, armed }
    }

    /// Cuts once at the next call whose bytes contain `text`.
    pub fn cut_at(&self, text: &str, cut: Cut) {
        *self.armed.lock().unwrap() = Some((text.as_bytes().to_vec(), cut));
    }

    /// True once the cut was made.
    pub fn has_cut(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }
}

fn relay(mut client: UnixStream, target: &Path, armed: &Mutex<Armed>) -> io::Result<()> {
    let mut server = UnixStream::connect(target)?;
    let cutting = Arc::new(AtomicBool::new(false));
    let answers = {
        let (from, to, cutting) = (server.try_clone()?, client.try_clone()?, Arc::clone(&cutting));
        thread::spawn(move || drop(relay_answers(from, to, &cutting)))
    };
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = client.read(&mut buffer)?;
        let call = &buffer[..length];
        let cut = armed.lock().unwrap().take_if(|(text, _)| call.windows(text.len()).any(|part| part == text));
        match cut {
            _ if length == 0 => break,
            Some((_, Cut::Call)) => break,
            Some((_, Cut::Answer)) => cutting.store(true, Ordering::Release),
            None => {}
        }
        server.write_all(call)?;
    }
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
    answers.join().unwrap();
    Ok(())
}

/// Passes answers on until one is to be cut.
fn relay_answers(mut server: UnixStream, mut client: UnixStream, cutting: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = server.read(&mut buffer)?;
        if length == 0 || cutting.load(Ordering::Acquire) {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&buffer[..length])?;
    }
}
