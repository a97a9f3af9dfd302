//! Command lines as data: structs whose fields are options and operands, declared once and read by
//! [clap]. Its derive would say the same, and cost 4 of the 28 s of CPU that the first `cargo xtask` takes.
//!
//! ```
//! arguments::arguments! {
//!     /// Greet somebody.
//!     struct Greet {
//!         /// Who
//!         name: String = operand("NAME").required(true),
//!         /// How often
//!         times: u8 = option("N").default_value("1"),
//!         /// Without a word
//!         quiet: bool = flag().short('q'),
//!     }
//! }
//! let greet: Greet = arguments::parse_from("greet", ["greet", "--times", "2", "you"]).unwrap();
//! assert_eq!((greet.name.as_str(), greet.times, greet.quiet), ("you", 2, false));
//! ```

mod macros;

pub use clap;

use clap::builder::{Resettable, StyledStr, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, Error};
use std::any::{Any, TypeId};
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// What can stand in a declaration: a value, or a group of them ([`arguments!`], [`subcommands!`]).
pub trait Field: Sized {
    /// What the type alone says of an argument: how it is parsed, how often it may be given.
    fn typed(arg: Arg) -> Arg {
        arg
    }

    /// Adds it to a command: `args` is empty for a group, which knows its own.
    fn declare(command: Command, args: impl IntoIterator<Item = Arg>) -> Command {
        command.args(args)
    }

    /// Takes what was parsed for the argument `id`; a group takes all of its own.
    fn take(matches: &mut ArgMatches, id: &str) -> Self;
}

/// A value that is read from one word.
pub trait Word: FromStr<Err: Display> + Any + Clone + Send + Sync {}
impl<T: FromStr<Err: Display> + Any + Clone + Send + Sync> Word for T {}

/// How a word is read; paths and other arguments of the system need not be UTF-8.
pub fn parser<T: Word>() -> ValueParser {
    let wanted = TypeId::of::<T>();
    if wanted == TypeId::of::<PathBuf>() {
        ValueParser::path_buf()
    } else if wanted == TypeId::of::<OsString>() {
        ValueParser::os_string()
    } else {
        ValueParser::new(|word: &str| word.parse::<T>().map_err(|error| error.to_string()))
    }
}

impl Field for bool {
    fn typed(arg: Arg) -> Arg {
        arg.action(ArgAction::SetTrue)
    }

    fn take(matches: &mut ArgMatches, id: &str) -> Self {
        matches.get_flag(id)
    }
}

impl<T: Word> Field for Option<T> {
    fn typed(arg: Arg) -> Arg {
        arg.value_parser(parser::<T>())
    }

    fn take(matches: &mut ArgMatches, id: &str) -> Self {
        matches.remove_one(id)
    }
}

impl<T: Word> Field for Vec<T> {
    fn typed(arg: Arg) -> Arg {
        arg.value_parser(parser::<T>()).action(ArgAction::Append)
    }

    fn take(matches: &mut ArgMatches, id: &str) -> Self {
        matches.remove_many(id).map(Iterator::collect).unwrap_or_default()
    }
}

value!(String, PathBuf, u8, u32, u64);

/// The value of an argument that is required or has a default.
pub fn one<T: Any + Clone + Send + Sync>(matches: &mut ArgMatches, id: &str) -> T {
    let value = matches.remove_one(id);
    value.unwrap_or_else(|| unreachable!("argument {id}: neither required nor with a default"))
}

/// An argument called `name`, with what its type says of it.
pub fn argument<T: Field>(name: &'static str) -> Arg {
    T::typed(Arg::new(name))
}

/// An argument that is there or not: `--name`.
pub fn flag(arg: Arg) -> Arg {
    let long = arg.get_id().as_str().replace('_', "-");
    arg.long(long)
}

/// An argument with a value: `--name VALUE`.
pub fn option(arg: Arg, value: &'static str) -> Arg {
    flag(arg).value_name(value)
}

/// An argument that its place tells: `VALUE`.
pub fn operand(arg: Arg, value: &'static str) -> Arg {
    arg.value_name(value)
}

/// A doc comment, as help: its first paragraph without the full stop, and all of it.
pub fn help(doc: &[&str]) -> (String, Option<String>) {
    let mut paragraphs = vec![String::new()];
    for line in doc.iter().map(|line| line.trim()) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() && !last.is_empty() => *last += &format!(" {line}"),
            Some(last) if !line.is_empty() => *last += line,
            _ => paragraphs.push(String::new()),
        }
    }
    let first = paragraphs.first().map_or("", |first| first.trim_end_matches('.')).to_owned();
    (first, (paragraphs.len() > 1).then(|| paragraphs.join("\n\n")))
}

/// `command` with the help of a doc comment.
pub fn described(command: Command, doc: &[&str]) -> Command {
    let (about, long) = help(doc);
    command.about(about).long_about(Resettable::from(long.map(StyledStr::from)))
}

/// Parses this process's arguments, or ends it: with help, or with exit code 2 for a usage error.
pub fn parse<T: Field>(name: &'static str) -> T {
    parse_from(name, std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// Parses `words`, the first of which is the program's name.
///
/// # Errors
///
/// What clap says of a usage error, and of `--help`.
pub fn parse_from<T: Field>(
    name: &'static str,
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<T, Error> {
    let command = Command::new(name).bin_name(name).disable_help_subcommand(true);
    let mut matches = T::declare(command, []).try_get_matches_from(words)?;
    Ok(T::take(&mut matches, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    subcommands! {
        /// What the program is for.
        ///
        /// A second paragraph.
        enum Top {
            /// Takes things.
            "take" => Take(Things),
            /// Says how
            "how" => How(Shared).disable_help_flag(true),
        }
    }

    arguments! {
        struct Things {
            /// Which,
            /// in two lines
            path: Vec<PathBuf> = operand("PATH").required(true).num_args(1..=2),
            shared: Shared,
            ports: Vec<u8> = option("PORT").value_delimiter(',').conflicts_with("dry_run"),
        }

        struct Shared {
            mood: Mood = option("MOOD").default_value("good"),
            dry_run: bool = flag().short('n'),
        }
    }

    choices! {
        enum Mood {
            "good" => Good,
            "so-so" => SoSo,
        }
    }

    fn parsed(words: &[&str]) -> Result<Top, String> {
        parse_from("top", words).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_groups_and_choices() {
        let Ok(Top::Take(things)) =
            parsed(&["top", "take", "--ports", "1,2", "--mood=so-so", "a", "--ports", "3"])
        else {
            panic!("take was asked for");
        };
        assert_eq!(things.path, [PathBuf::from("a")]);
        assert_eq!(things.ports, [1, 2, 3]);
        assert_eq!((things.shared.mood, things.shared.dry_run), (Mood::SoSo, false));
        let Ok(Top::Take(things)) = parsed(&["top", "take", "-n", "a", "b"]) else {
            panic!("take was asked for");
        };
        assert_eq!((things.shared.mood.name(), things.shared.dry_run), ("good", true));
        assert!(things.ports.is_empty());
    }

    #[test]
    fn paths_need_not_be_utf_8() {
        let odd = OsString::from_vec(b"a\xff".to_vec());
        let words = ["top", "take"].map(OsString::from).into_iter().chain([odd.clone()]);
        let Ok(Top::Take(things)) = parse_from("top", words) else { panic!("the path is refused") };
        assert_eq!(things.path, [PathBuf::from(odd)]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |words: &[&str]| parsed(words).unwrap_err();
        assert!(refused(&["top"]).contains("What the program is for\n"));
        assert!(refused(&["top", "take"]).contains("<PATH>"));
        assert!(
            refused(&["top", "take", "a", "--ports", "300"]).contains("'300' for '--ports <PORT>'")
        );
        assert!(
            refused(&["top", "take", "a", "--mood", "bad"])
                .contains("[possible values: good, so-so]")
        );
        assert!(
            refused(&["top", "take", "a", "--dry-run", "--ports", "1"])
                .contains("cannot be used with")
        );
    }

    #[test]
    fn doc_comments_are_the_help() {
        let help = parsed(&["top", "take", "--help"]).unwrap_err();
        assert!(help.starts_with("Takes things\n"), "{help}");
        assert!(help.contains("Which, in two lines"), "{help}");
        let help = parsed(&["top", "--help"]).unwrap_err();
        assert!(help.contains("What the program is for.\n\nA second paragraph."), "{help}");
        let Ok(Top::How(shared)) = parsed(&["top", "how"]) else { panic!("how was asked for") };
        assert_eq!(shared.mood, Mood::Good);
    }
}
