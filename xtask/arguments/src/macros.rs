//! The declarations. In all of them doc comments are the help.

/// Structs of arguments. A field is `name: Type = flag()`, `= option("VALUE")` or `= operand("VALUE")`,
/// followed by any methods of clap's `Arg`; a field without `=` is another such struct, whose
/// arguments stand beside. `bool`, `Option<T>`, `Vec<T>` and the types of [`value!`](crate::value) and
/// [`choices!`](crate::choices) know how they are parsed. Fields are as visible as their struct.
#[macro_export]
macro_rules! arguments {
    ($(
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident {$(
            $(#[doc = $help:literal])*
            $field:ident: $type:ty $(
                = $kind:ident($($value:literal)?) $(.$method:ident($($setting:tt)*))*
            )?
        ),* $(,)?}
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        $vis struct $name {$(
            $(#[doc = $help])*
            $vis $field: $type,
        )*}

        impl $crate::Field for $name {
            fn declare(
                command: $crate::clap::Command,
                _: impl IntoIterator<Item = $crate::clap::Arg>,
            ) -> $crate::clap::Command {
                $(
                    #[allow(unused_variables, reason = "a group has none of its own")]
                    let help: &[&str] = &[$($help),*];
                    let command = <$type as $crate::Field>::declare(command, [$(
                        $crate::$kind($crate::argument::<$type>(stringify!($field)), $($value)?)
                            .help($crate::help(help).0) $(.$method($($setting)*))*
                    )?]);
                )*
                $crate::described(command, &[$($about),*])
            }

            fn take(matches: &mut $crate::clap::ArgMatches, _: &str) -> Self {
                $name {$($field: $crate::Field::take(matches, stringify!($field))),*}
            }
        }
    )*};
}

/// Enums of subcommands: `"name" => Variant(Arguments)`, followed by any methods of clap's `Command`.
#[macro_export]
macro_rules! subcommands {
    ($(
        $(#[doc = $about:literal])*
        $vis:vis enum $name:ident {$(
            $(#[doc = $help:literal])*
            $word:literal => $variant:ident($type:ty) $(.$method:ident($($setting:tt)*))*
        ),* $(,)?}
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        $vis enum $name {$(
            $(#[doc = $help])*
            $variant($type),
        )*}

        impl $crate::Field for $name {
            fn declare(
                command: $crate::clap::Command,
                _: impl IntoIterator<Item = $crate::clap::Arg>,
            ) -> $crate::clap::Command {
                let command = command.subcommand_required(true).arg_required_else_help(true);
                let command = command.subcommands([$({
                    let command = $crate::clap::Command::new($word);
                    let command = <$type as $crate::Field>::declare(command, []);
                    $crate::described(command, &[$($help),*]) $(.$method($($setting)*))*
                }),*]);
                $crate::described(command, &[$($about),*])
            }

            fn take(matches: &mut $crate::clap::ArgMatches, _: &str) -> Self {
                match matches.remove_subcommand() {
                    $(
                        Some((word, mut matches)) if word == $word => {
                            $name::$variant($crate::Field::take(&mut matches, ""))
                        }
                    )*
                    other => unreachable!("clap asks for one of the subcommands: {other:?}"),
                }
            }
        }
    )*};
}

/// Enums of which an argument takes one: `"word" => Variant`.
#[macro_export]
macro_rules! choices {
    ($(
        $(#[doc = $about:literal])*
        $vis:vis enum $name:ident {$(
            $(#[doc = $help:literal])*
            $word:literal => $variant:ident
        ),* $(,)?}
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $name {$(
            $(#[doc = $help])*
            $variant,
        )*}

        impl $name {
            $vis const ALL: &[$name] = &[$($name::$variant),*];

            $vis fn name(self) -> &'static str {
                match self {$($name::$variant => $word),*}
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().copied().find(|choice| choice.name() == word);
                found.ok_or_else(|| format!("no `{word}`: expected one of {}", [$($word),*].join(", ")))
            }
        }

        impl $crate::clap::ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                Self::ALL
            }

            fn to_possible_value(&self) -> Option<$crate::clap::builder::PossibleValue> {
                let help = match self {$(
                    $name::$variant => $crate::help(&[$($help),*]).0
                ),*};
                let value = $crate::clap::builder::PossibleValue::new(self.name());
                Some(if help.is_empty() { value } else { value.help(help) })
            }
        }

        impl $crate::Field for $name {
            fn typed(arg: $crate::clap::Arg) -> $crate::clap::Arg {
                arg.value_parser($crate::clap::builder::EnumValueParser::<$name>::new())
            }

            fn take(matches: &mut $crate::clap::ArgMatches, id: &str) -> Self {
                $crate::one(matches, id)
            }
        }
    )*};
}

/// Makes types that are read from one word ([`FromStr`](std::str::FromStr)) fields of [`arguments!`]:
/// such an argument is `.required(true)` or has a default.
#[macro_export]
macro_rules! value {
    ($($type:ty),*) => {$(
        impl $crate::Field for $type {
            fn typed(arg: $crate::clap::Arg) -> $crate::clap::Arg {
                arg.value_parser($crate::parser::<$type>())
            }

            fn take(matches: &mut $crate::clap::ArgMatches, id: &str) -> Self {
                $crate::one(matches, id)
            }
        }
    )*};
}
