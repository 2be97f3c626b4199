//! Records as text.

use proptest::prelude::*;

use super::super::{Ban, Record, State, gcra::Arrival, ring::Recent, window::Used};

const LARGEST: u64 = 1 << 53;

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(LARGEST), 0..1000_u64, 0..=LARGEST]
}

fn units() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>()]
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Unused),
        (numbers(), numbers()).prop_map(|(micros, rest)| State::Gcra(Arrival { micros, rest })),
        (numbers(), prop::array::uniform17(units()))
            .prop_map(|(index, units)| State::Ring(Box::new(Recent { index, units }))),
        (numbers(), numbers()).prop_map(|(index, units)| State::Window(Used { index, units })),
        numbers().prop_map(State::Slots),
    ]
}

fn bans() -> impl Strategy<Value = Option<Ban>> {
    prop::option::of(
        (numbers(), units(), numbers()).prop_map(|(until, level, forgotten)| Ban {
            until,
            level,
            forgotten,
        }),
    )
}

/// What is no number of ours, though others would take it for one.
const NO_NUMBERS: [&str; 20] = [
    "",
    " ",
    " 5",
    "5 ",
    "5 5",
    "+5",
    "-5",
    "inf",
    "nan",
    "0x10",
    "1e5",
    "1.5",
    "5\n",
    "5\0",
    "٥",
    "1_000",
    "9007199254740993",
    "12345678901234567",
    "00000000000000005",
    "18446744073709551616",
];

#[test]
fn what_is_no_number_counts_as_nothing() {
    for text in NO_NUMBERS {
        for text in [
            text.to_owned(),
            format!("{text}/1"),
            format!("1/{text}"),
            format!("w {text} 1"),
            format!("w 1 {text}"),
            format!("r {text} 1"),
            format!("r 1 2 {text}"),
            format!("c {text}"),
        ] {
            // What a ring of two sub-windows is, is no nonsense.
            if text != "r 1 2 5 5" && text != "r 5 5 1" {
                assert_eq!(Record::parse(&text), Record::default(), "{text:?}");
            }
        }
    }
}

#[test]
fn what_is_no_ban_is_none() {
    for text in NO_NUMBERS {
        for ban in [
            format!("{text},1,1"),
            format!("1,{text},1"),
            format!("1,1,{text}"),
            "1,4294967296,1".to_owned(),
            "1,1".to_owned(),
            "1,1,1,1".to_owned(),
        ] {
            let record = Record::parse(&format!("B{ban};c 5"));
            assert_eq!(record.ban, None, "{ban:?}");
            assert_eq!(record.state, State::Slots(5), "{ban:?}");
        }
    }
}

#[test]
fn words_too_many_count_as_nothing() {
    let ring = format!("r 1{}", " 1".repeat(18));
    for text in ["w 1 2 3", "w 1 2 ", "c 1 2", "1 2", "1/2 3", "1/2/3", &ring] {
        assert_eq!(Record::parse(text), Record::default(), "{text:?}");
    }
}

#[test]
fn a_ring_of_large_units_counts_as_nothing() {
    assert_eq!(Record::parse("r 1 4294967296"), Record::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_record_is_read_as_it_was_written(state in states(), ban in bans()) {
        let record = Record {
            state,
            ban: ban.map(Box::new),
        };
        prop_assert_eq!(Record::parse(&record.text()), record);
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".*") {
        Record::parse(&text);
    }

    #[test]
    fn any_text_like_a_record_is_read_as_what_can_be_written(
        text in "B?[0-9,]{0,60};?[wrc]? ?[0-9 /+.ex-]{0,80}",
    ) {
        let record = Record::parse(&text);
        prop_assert_eq!(Record::parse(&record.text()), record);
    }
}
