//! URLs, and what is refused.

use super::*;

fn parts(url: &str) -> (String, String, i64, Option<String>, Option<String>) {
    let Target::Server { endpoint, shown } = Target::parse(url).unwrap() else { panic!("{url} is embedded") };
    let settings = endpoint.login;
    (
        endpoint.address.to_string(),
        shown,
        settings.db(),
        settings.username().map(str::to_owned),
        settings.password().map(str::to_owned),
    )
}

fn fault(url: &str) -> (Code, String) {
    let error = Target::parse(url).err().unwrap_or_else(|| panic!("{url} was taken"));
    (error.code, error.message)
}

#[test]
fn servers() {
    assert_eq!(parts("redis://").0, "127.0.0.1:6379");
    assert_eq!(parts("redis://[::1]:7000/2").0, "::1:7000");
    let (address, shown, db, user, password) = parts("redis://ann:s%40c:ret@example.org:6380/3");
    assert_eq!((address.as_str(), db), ("example.org:6380", 3));
    assert_eq!((user.as_deref(), password.as_deref()), (Some("ann"), Some("s@c:ret")));
    assert_eq!(shown, "redis://ann:***@example.org:6380/3");
    assert_eq!(parts("redis://:secret@host").4.as_deref(), Some("secret"));
}

#[test]
fn sockets() {
    let (address, shown, db, user, password) = parts("unix:///run/my%20redis.sock?db=2&user=ann&password=a%26b");
    assert_eq!((address.as_str(), db), ("/run/my redis.sock", 2));
    assert_eq!((user.as_deref(), password.as_deref()), (Some("ann"), Some("a&b")));
    assert_eq!(shown, "unix:///run/my%20redis.sock?db=2&user=ann&password=***");
    assert_eq!(without_password("unix:/r?password=a&db=1&password=b"), "unix:/r?password=***&db=1&password=***");
}

#[test]
fn embedded_folders_are_absolute() {
    let target = Target::parse("embedded:/var/tmp/x?keep=1").unwrap();
    assert_eq!(target.full(""), "embedded:/var/tmp/x?keep=1");
    let Target::Embedded { dir, keep } = Target::parse("embedded:some/where").unwrap() else { panic!() };
    assert!(dir.is_absolute() && dir.ends_with("some/where") && !keep);
}

#[test]
fn the_default_folder_is_searched_upwards() {
    let root = std::env::temp_dir().join(format!("manyhands-url-{}", std::process::id()));
    let deep = root.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(search_upwards(&deep.join(DEFAULT_DIR)), deep.join(DEFAULT_DIR));
    std::fs::create_dir(root.join(DEFAULT_DIR)).unwrap();
    assert_eq!(search_upwards(&deep.join(DEFAULT_DIR)), root.join(DEFAULT_DIR));
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn what_is_refused_says_why() {
    for (url, code, words) in [
        ("http://x", Code::UnsupportedUrl, "unknown scheme"),
        ("rediss:x", Code::InvalidArgument, "rediss://"),
        ("rediss://h?db=1", Code::InvalidArgument, "option \"db\""),
        ("rediss://h?insecure=yes", Code::InvalidArgument, "insecure \"yes\" is neither 0 nor 1"),
        ("rediss://h?insecure=1&ca=/x", Code::InvalidArgument, "ca and insecure=1 contradict"),
        ("rediss://h?ca=", Code::InvalidArgument, "file after ca="),
        ("rediss://h?insecure=1&cert=/x", Code::InvalidArgument, "cert needs key"),
        ("rediss://h?insecure=1&key=/x", Code::InvalidArgument, "key needs cert"),
        ("rediss://h?ca=/none/ca.pem", Code::InvalidArgument, "ca /none/ca.pem: No such file"),
        ("rediss://h?ca=/", Code::InvalidArgument, "ca /: Is a directory"),
        ("rediss://h?ca=/dev/null", Code::InvalidArgument, "ca /dev/null: the file holds no certificate"),
        ("rediss://h?insecure=1&cert=/dev/null&key=/dev/null", Code::InvalidArgument, "cert /dev/null"),
        ("rediss://a%20b?insecure=1", Code::InvalidArgument, "host named \"a b\""),
        ("redis+sentinel://:secret@a,b/m/0", Code::UnsupportedUrl, "redis+sentinel://:***@a,b/m/0 asks for Sentinel"),
        ("redis+cluster://a", Code::UnsupportedUrl, "Cluster"),
        ("nonsense", Code::InvalidArgument, "no scheme"),
        ("redis://h:0", Code::InvalidArgument, "port"),
        ("redis://h:x", Code::InvalidArgument, "port"),
        ("redis://h/one", Code::InvalidArgument, "database"),
        ("redis://h?db=1", Code::InvalidArgument, "option \"db\""),
        ("redis://h?insecure=1", Code::InvalidArgument, "option \"insecure\""),
        ("redis://:se/cret@h", Code::InvalidArgument, "password must be written"),
        ("rediss://:se?cret@h", Code::InvalidArgument, "password must be written"),
        ("unix://", Code::InvalidArgument, "path"),
        ("unix:///s?tls=1", Code::InvalidArgument, "option \"tls\""),
        ("embedded:", Code::InvalidArgument, "folder"),
        ("embedded:x?keep=yes", Code::InvalidArgument, "keep"),
    ] {
        let (found, message) = fault(url);
        assert_eq!(found, code, "{url}");
        assert!(message.contains(words), "{url}: {message}");
    }
}

#[test]
fn the_environment_decides_when_no_url_is_given() {
    let choose = |given, variables: &[(&str, &str)]| {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        choose_from(given, variable)
    };
    assert_eq!(choose(Some("a"), &[("MANYHANDS_URL", "b")]).unwrap(), "a");
    assert_eq!(choose(None, &[("MANYHANDS_URL", "b"), ("REDIS_URL", "c")]).unwrap(), "b");
    assert_eq!(choose(None, &[("REDIS_URL", "c"), ("RAILS_ENV", "production")]).unwrap(), "c");
    assert_eq!(choose(None, &[("RAILS_ENV", "test")]).unwrap(), "embedded:.manyhands");
    let error = choose(None, &[("RACK_ENV", "production")]).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("RACK_ENV") && error.message.contains("MANYHANDS_URL"));
}
