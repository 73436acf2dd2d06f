//! The whole table as text: sorted, for people and for comparing.

use std::fmt::{self, Display, Formatter, Write};

use super::FakeKernel;
use crate::live::{LiveChain, LiveObject, LiveRule, LiveSet, Table};
use crate::ruleset::{Count, Element};

/// Without handles and counts, so that two kernels that do the same print the same; with `{:#}` both
/// are there.
impl Display for FakeKernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.state.table {
            None => writeln!(f, "no table"),
            Some(table) => write_table(table, f),
        }
    }
}

/// A live table as the fake kernel prints its own.
pub fn dump(table: &Table) -> String {
    struct Dump<'a>(&'a Table);
    impl Display for Dump<'_> {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            write_table(self.0, f)
        }
    }
    Dump(table).to_string()
}

fn write_table(table: &Table, f: &mut Formatter<'_>) -> fmt::Result {
    let Table {
        handle,
        flags,
        mark: _,
        sets,
        objects,
        chains,
    } = table;
    write!(f, "table inet rfw")?;
    if *flags != 0 {
        write!(f, " flags {flags}")?;
    }
    write_handle(*handle, f)?;
    f.write_char('\n')?;
    for LiveObject { handle, object } in objects {
        write!(f, "  object {} {:?}", object.name, object.kind)?;
        write_handle(*handle, f)?;
        f.write_char('\n')?;
    }
    sets.iter().try_for_each(|set| write_set(set, f))?;
    chains.iter().try_for_each(|chain| write_chain(chain, f))
}

fn write_set(set: &LiveSet, f: &mut Formatter<'_>) -> fmt::Result {
    let LiveSet {
        handle,
        set,
        unknown,
        anonymous,
    } = set;
    let spec = &set.spec;
    write!(f, "  set {} {:?} {:?}", spec.name, spec.key, spec.kind)?;
    for (word, is_so) in [
        ("interval", spec.interval),
        ("dynamic", spec.dynamic),
        ("counter", spec.counter),
        ("anonymous", *anonymous),
    ] {
        if is_so {
            write!(f, " {word}")?;
        }
    }
    if let Some(timeout) = spec.timeout {
        write!(f, " timeout {timeout}")?;
    }
    if let Some(interval) = spec.gc_interval {
        write!(f, " gc-interval {interval}")?;
    }
    if let Some(size) = spec.size {
        write!(f, " size {size}")?;
    }
    for unknown in unknown {
        write!(f, " ?{unknown}")?;
    }
    write_handle(*handle, f)?;
    f.write_char('\n')?;
    for element in set.elements.iter() {
        let Element {
            key,
            datum,
            name,
            count,
        } = element.as_ref();
        write!(f, "    ")?;
        write_hex(&key.lo, f)?;
        if let Some(hi) = &key.hi {
            f.write_char('-')?;
            write_hex(hi, f)?;
        }
        if let Some(datum) = datum {
            write!(f, " : {datum:?}")?;
        }
        if let Some(name) = name {
            write!(f, " {name:?}")?;
        }
        if let (true, Some(count)) = (f.alternate(), count) {
            write_count(*count, f)?;
        }
        f.write_char('\n')?;
    }
    Ok(())
}

fn write_chain(chain: &LiveChain, f: &mut Formatter<'_>) -> fmt::Result {
    let LiveChain {
        handle,
        name,
        base,
        anonymous,
        rules,
    } = chain;
    write!(f, "  chain {name}")?;
    if let Some(base) = base {
        write!(
            f,
            " {:?} {:?} {} {:?}",
            base.kind, base.hook, base.priority, base.policy
        )?;
    }
    if *anonymous {
        write!(f, " anonymous")?;
    }
    write_handle(*handle, f)?;
    f.write_char('\n')?;
    for rule in rules {
        let count = rule.count();
        let LiveRule {
            handle,
            name,
            instructions,
        } = rule;
        write!(f, "    {:?}", name.as_deref().unwrap_or(""))?;
        for instruction in instructions {
            if matches!(instruction, crate::bytecode::Instruction::Counter(_)) {
                write!(f, " [ counter ]")?;
            } else {
                write!(f, " {instruction}")?;
            }
        }
        if let (true, Some(count)) = (f.alternate(), count) {
            write_count(count, f)?;
        }
        write_handle(*handle, f)?;
        f.write_char('\n')?;
    }
    Ok(())
}

fn write_handle(handle: u64, f: &mut Formatter<'_>) -> fmt::Result {
    if f.alternate() {
        write!(f, " # {handle}")?;
    }
    Ok(())
}

fn write_count(count: Count, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " packets {} bytes {}", count.packets, count.bytes)
}

fn write_hex(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
