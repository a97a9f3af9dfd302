//! Container options: those of `docker run` and of the runner's `container.options`.

use crate::parse::shell::{ShellCommand, ShellWord, commands};

/// Options of `docker run` without a value. All others take one.
const SWITCHES: [&str; 12] = [
    "--detach",
    "--help",
    "--init",
    "--interactive",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--privileged",
    "--publish-all",
    "--quiet",
    "--read-only",
    "--rm",
    "--tty",
];
const SHORT_SWITCHES: &str = "ditqP";

/// Options of `docker run` that systemd as PID 1 needs: long name, value, and both as a person writes them.
const SYSTEMD_FLAGS: [(&str, &str, &str); 6] = [
    ("--privileged", "", "--privileged"),
    ("--cgroupns", "host", "--cgroupns=host"),
    ("--tmpfs", "/run", "--tmpfs /run"),
    ("--tmpfs", "/run/lock", "--tmpfs /run/lock"),
    ("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "-v /sys/fs/cgroup:/sys/fs/cgroup:rw"),
    ("--tty", "", "-t"),
];

/// One option under its long name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opt {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// A command that starts a container, or runs something in one.
#[derive(Clone, Debug)]
pub(crate) struct ContainerRun {
    /// `run`, `create`, `exec`.
    pub(crate) verb: String,
    pub(crate) line: usize,
    pub(crate) options: Vec<Opt>,
    pub(crate) image: Option<String>,
    /// Started by `docker compose`, whose file has more options.
    pub(crate) composed: bool,
}

/// The value of `--volume` or `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountOption {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    /// True for a path, false for a named volume.
    pub(crate) bind: bool,
    pub(crate) line: usize,
}

/// Splits a call of docker into program, verb and the words after it, without global options.
pub(crate) fn verb(command: &ShellCommand) -> Option<(&str, String, &[ShellWord])> {
    let program = command.program();
    // the program may be a variable: "$docker", "${DOCKER}"
    let bare: String = program.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    if !matches!(bare.to_ascii_lowercase().as_str(), "docker" | "podman" | "nerdctl") {
        return None;
    }
    let mut words = command.words_of_program().get(1..)?;
    while let [first, rest @ ..] = words {
        let text = first.text.as_str();
        let takes_value = matches!(
            text,
            "-H" | "--host"
                | "--context"
                | "-c"
                | "--config"
                | "-l"
                | "--log-level"
                | "--tlscacert"
                | "--tlscert"
                | "--tlskey"
                | "--root"
                | "--url"
                | "--connection"
        );
        if takes_value {
            words = rest.get(1..).unwrap_or_default();
        } else if text.starts_with('-') {
            words = rest;
        } else {
            break;
        }
    }
    let [first, rest @ ..] = words else { return None };
    match (first.text.as_str(), rest) {
        // `docker compose -f x.yaml run` starts a container too
        ("compose", rest) => {
            let run = rest
                .iter()
                .position(|word| matches!(word.text.as_str(), "run" | "exec" | "up" | "build"));
            let (verb, rest) = match run {
                Some(at) if rest[at].text != "up" => (rest[at].text.clone(), &rest[at + 1..]),
                _ => (first.text.clone(), rest),
            };
            Some((program, verb, rest))
        }
        ("container" | "image" | "buildx" | "builder", [second, rest @ ..]) => {
            Some((program, second.text.clone(), rest))
        }
        (verb, rest) => Some((program, verb.to_owned(), rest)),
    }
}

impl ContainerRun {
    pub(crate) fn of(command: &ShellCommand) -> Option<ContainerRun> {
        let (_, verb, words) = verb(command)?;
        if !matches!(verb.as_str(), "run" | "create" | "exec") {
            return None;
        }
        let (options, rest) = options(words);
        let composed = command.words_of_program().iter().any(|word| word.text == "compose");
        Some(ContainerRun {
            composed,
            verb,
            line: command.line,
            options,
            image: rest.first().map(|word| word.text.clone()),
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.name == name && option.value != "false")
    }

    pub(crate) fn is_builder(&self) -> bool {
        self.image.as_deref().is_some_and(|image| {
            image.contains("silvermetal-builder") || image.to_ascii_uppercase().contains("BUILDER")
        })
    }
}

/// The missing ones of [`SYSTEMD_FLAGS`], as a person writes them.
pub(crate) fn missing_systemd_flags(options: &[Opt]) -> Vec<&'static str> {
    let given = |name: &str, value: &str| {
        options.iter().any(|option| match name {
            _ if option.name != name => false,
            "--volume" => option.value == value || option.value == value.trim_end_matches(":rw"),
            // size and mode may follow the path
            "--tmpfs" => option.value.split(':').next() == Some(value),
            _ => value.is_empty() || option.value == value,
        })
    };
    let missing = SYSTEMD_FLAGS.iter().filter(|(name, value, _)| !given(name, value));
    missing.map(|(_, _, written)| *written).collect()
}

/// Options in a text such as `container.options` whose first line is `line`.
pub(crate) fn options_of_text(text: &str, line: usize) -> Vec<Opt> {
    let joined = text.replace('\n', " ");
    let mut words: Vec<ShellWord> =
        commands(&joined, line).into_iter().flat_map(|c| c.words).collect();
    // joining has lost the line numbers
    let mut from = 0;
    for word in &mut words {
        if let Some(at) = text[from..].find(word.text.as_str()) {
            word.line = line + text[..from + at].matches('\n').count();
            from += at + word.text.len();
        }
    }
    let mut all = Vec::new();
    let mut rest = &words[..];
    while !rest.is_empty() {
        let (mut options, left) = options(rest);
        all.append(&mut options);
        // skip an argument that belongs to no option
        rest = left.get(1..).unwrap_or_default();
    }
    all
}

/// Splits words into the leading options and the rest.
pub(crate) fn options(words: &[ShellWord]) -> (Vec<Opt>, &[ShellWord]) {
    let mut found = Vec::new();
    let mut rest = words;
    while let [first, after @ ..] = rest {
        let text = first.text.as_str();
        if text == "--" {
            return (found, after);
        }
        if !text.starts_with('-') || text == "-" {
            break;
        }
        rest = after;
        let mut push = |name: &str, value: &str| {
            found.push(Opt { name: name.into(), value: value.into(), line: first.line });
        };
        if text.starts_with("--") {
            if let Some((name, value)) = text.split_once('=') {
                push(name, value);
            } else if SWITCHES.contains(&text) {
                push(text, "");
            } else {
                push(text, rest.first().map_or("", |word| word.text.as_str()));
                rest = rest.get(1..).unwrap_or_default();
            }
            continue;
        }
        for (at, letter) in text[1..].char_indices() {
            if SHORT_SWITCHES.contains(letter) {
                push(long(letter), "");
                continue;
            }
            let attached = text[1 + at + letter.len_utf8()..].trim_start_matches('=');
            if attached.is_empty() {
                push(long(letter), rest.first().map_or("", |word| word.text.as_str()));
                rest = rest.get(1..).unwrap_or_default();
            } else {
                push(long(letter), attached);
            }
            break;
        }
    }
    (found, rest)
}

fn long(letter: char) -> &'static str {
    match letter {
        'd' => "--detach",
        'i' => "--interactive",
        't' => "--tty",
        'q' => "--quiet",
        'P' => "--publish-all",
        'v' => "--volume",
        'e' => "--env",
        'w' => "--workdir",
        'u' => "--user",
        'l' => "--label",
        'h' => "--hostname",
        'p' => "--publish",
        'm' => "--memory",
        _ => "--other",
    }
}

/// The mounts among the options.
pub(crate) fn mounts(options: &[Opt]) -> Vec<MountOption> {
    options.iter().filter_map(mount).collect()
}

fn mount(option: &Opt) -> Option<MountOption> {
    let line = option.line;
    match option.name.as_str() {
        "--volume" => Some(volume(&option.value, line)),
        "--mount" => {
            let field = |names: &[&str]| {
                option.value.split(',').find_map(|field| {
                    let (key, value) = field.split_once('=').unwrap_or((field, "true"));
                    names
                        .contains(&key.trim_matches('"'))
                        .then(|| value.trim_matches('"').to_owned())
                })
            };
            let kind = field(&["type"]).unwrap_or_else(|| "volume".into());
            if kind == "tmpfs" {
                return None;
            }
            Some(MountOption {
                source: field(&["source", "src"]).unwrap_or_default(),
                target: field(&["target", "destination", "dst"]).unwrap_or_default(),
                read_only: field(&["readonly", "ro"]).is_some_and(|value| value != "false"),
                bind: kind == "bind",
                line,
            })
        }
        _ => None,
    }
}

/// Parses `SOURCE:TARGET[:MODE]`. A colon in a variable (`${X:-y}`) does not separate.
pub(crate) fn volume(text: &str, line: usize) -> MountOption {
    let mut parts = vec![String::new()];
    let mut braces = 0_usize;
    for c in text.chars() {
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            ':' if braces == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    let part = |n: usize| parts.get(n).cloned().unwrap_or_default();
    let (source, target) =
        if parts.len() == 1 { (String::new(), part(0)) } else { (part(0), part(1)) };
    let bind = source.starts_with(['/', '.', '~', '$', '`']) || source.contains('/');
    let read_only = part(2).split(',').any(|word| word == "ro" || word == "readonly");
    MountOption { source, target, read_only, bind, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> ContainerRun {
        ContainerRun::of(&commands(text, 1)[0]).unwrap()
    }

    #[test]
    fn options_in_every_spelling() {
        let found = run("docker -H x container run --rm -dit --name=a -l k=v -v/a:/b:ro img -i");
        assert!(found.has("--interactive") && found.has("--tty") && found.has("--name"));
        assert_eq!(found.image.as_deref(), Some("img"));
        let mount = &mounts(&found.options)[0];
        assert_eq!(
            (mount.source.as_str(), mount.target.as_str(), mount.read_only),
            ("/a", "/b", true)
        );
        assert!(!run("docker run --rm alpine sh -i").has("--interactive"));
        assert!(ContainerRun::of(&commands("docker build -t x .", 1)[0]).is_none());
    }

    #[test]
    fn the_flags_that_systemd_needs() {
        let all = "docker run --privileged --cgroupns=host --tmpfs /run --tmpfs /run/lock:exec \
                   -v /sys/fs/cgroup:/sys/fs/cgroup:rw -t silvermetal-builder:x";
        assert_eq!(missing_systemd_flags(&run(all).options), [""; 0]);
        let less = run("docker run --tmpfs /run --cgroupns=private img");
        assert_eq!(missing_systemd_flags(&less.options).len(), 5);
    }

    #[test]
    fn lines_of_options_in_a_block() {
        let options = options_of_text("--rm\n--volume /a:/b\n-v c:/d", 7);
        let lines: Vec<usize> = options.iter().map(|option| option.line).collect();
        assert_eq!(lines, [7, 8, 9]);
        assert!(!mounts(&options)[1].bind);
    }

    #[test]
    fn mounts_in_both_forms() {
        let options = options_of_text("--mount type=bind,src=/a,dst=/b,readonly -v ${X:-/y}:/z", 1);
        let found = mounts(&options);
        assert!(found[0].bind && found[0].read_only && found[0].target == "/b");
        assert_eq!(found[1].source, "${X:-/y}");
    }
}
