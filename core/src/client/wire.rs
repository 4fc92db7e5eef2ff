//! The bytes to a server and back, over TCP, TLS or a unix socket.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use super::connection::left;
use super::fault::Fault;
use crate::endpoint::Address;
use crate::tls::Tls;

/// A socket that is connected and, with TLS, has shaken hands.
///
/// Nothing is sent when it is dropped, not even TLS's goodbye: a forked child may drop its copy of the parent's.
pub(super) enum Wire {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Wire {
    /// Connects; the addresses of a host share the time.
    pub fn open(address: &Address, until: Instant) -> Result<Wire, Fault> {
        match address {
            Address::Unix(path) => Ok(Wire::Unix(UnixStream::connect(path)?)),
            Address::Tcp { host, port, tls } => {
                let socket = reach(&(host.as_str(), *port).to_socket_addrs()?.collect::<Vec<_>>(), until)?;
                socket.set_nodelay(true)?;
                match tls {
                    None => Ok(Wire::Tcp(socket)),
                    Some(tls) => shake_hands(tls, socket, until),
                }
            }
        }
    }

    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Wire::Tcp(socket) => socket.set_read_timeout(Some(timeout)),
            Wire::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)),
            Wire::Unix(socket) => socket.set_read_timeout(Some(timeout)),
        }
    }

    pub fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Wire::Tcp(socket) => socket.set_write_timeout(Some(timeout)),
            Wire::Tls(stream) => stream.sock.set_write_timeout(Some(timeout)),
            Wire::Unix(socket) => socket.set_write_timeout(Some(timeout)),
        }
    }

    /// What ended TLS here.
    pub fn fault(&mut self) -> Option<rustls::Error> {
        match self {
            Wire::Tls(stream) => stream.conn.process_new_packets().err(),
            Wire::Tcp(_) | Wire::Unix(_) => None,
        }
    }

    /// Whether bytes may have left although their sending failed.
    pub fn is_buffered(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }

    fn read_once(&mut self, place: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(socket) => socket.read(place),
            Wire::Tls(stream) => match stream.read(place) {
                // A server that dies says no goodbye. What is cut short, the parser of replies sees.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
            Wire::Unix(socket) => socket.read(place),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Wire::Tcp(socket) => socket.write_all(bytes),
            Wire::Tls(stream) => {
                // A write hides that the socket took nothing; the flush says it.
                stream.write_all(bytes)?;
                stream.flush()
            }
            Wire::Unix(socket) => socket.write_all(bytes),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.read_once(place) {
                // Signals are held back, but a process that was stopped and goes on breaks its reads, too.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// The first of a host's addresses where somebody answers.
fn reach(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        match TcpStream::connect_timeout(address, left(until) / (addresses.len() - tried) as u32) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn shake_hands(tls: &Tls, socket: TcpStream, until: Instant) -> Result<Wire, Fault> {
    let mut session = ClientConnection::new(tls.configuration(), tls.name.clone()).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut Until { socket: &socket, until })?;
    }
    Ok(Wire::Tls(Box::new(StreamOwned::new(session, socket))))
}

/// A socket whose every use ends in time.
struct Until<'a> {
    socket: &'a TcpStream,
    until: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.until)))?;
        self.socket.read(place)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.until)))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    static BROKEN: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn count(_signal: libc::c_int) {
        BROKEN.fetch_add(1, Ordering::SeqCst);
    }

    // A read with a timeout is not restarted by the kernel, whatever the signal's handler says.
    #[test]
    fn a_read_that_is_broken_goes_on() {
        let handler: extern "C" fn(libc::c_int) = count;
        // SAFETY: the handler only counts; nothing else in these tests sends or wants this signal.
        unsafe { libc::signal(libc::SIGWINCH, handler as libc::sighandler_t) };
        let (mut server, client) = UnixStream::pair().unwrap();
        let (tell, told) = channel();
        let reader = thread::spawn(move || {
            let mut wire = Wire::Unix(client);
            wire.set_read_timeout(Duration::from_secs(20)).unwrap();
            // SAFETY: asks for a number.
            tell.send(unsafe { (libc::gettid(), libc::pthread_self()) }).unwrap();
            let mut place = [0; 1];
            wire.read(&mut place).map(|length| (length, place[0]))
        });
        let (thread, handle) = told.recv().unwrap();
        let (call, read) = (format!("/proc/self/task/{thread}/syscall"), format!("{} ", libc::SYS_recvfrom));
        while !fs::read_to_string(&call).unwrap().starts_with(&read) {
            thread::yield_now();
        }
        // SAFETY: the thread is not joined yet.
        assert_eq!(unsafe { libc::pthread_kill(handle, libc::SIGWINCH) }, 0);
        while BROKEN.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        server.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), (1, b'x'));
    }
}
