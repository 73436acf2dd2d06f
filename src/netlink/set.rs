//! Sets as `NFT_MSG_NEWSET` has them, in both directions; not their elements.

use super::attribute::{Attribute, Malformed, Writer, attributes};
use super::constants::{NFTA_SET_COUNT, sys};
use super::{expression, key_type, userdata};
use crate::bytecode::Instruction;
use crate::ruleset::{Count, DataType, SetKind, SetSpec};

/// Verdict map: the type of its values.
const VERDICT_TYPE: u32 = sys::NFT_DATA_VERDICT;
/// `NFT_SET_CONCAT`, since Linux 5.6: intervals over several fields.
const CONCAT: u32 = sys::NFT_SET_CONCAT;
/// Flags that the other attributes of a set repeat, so nothing is lost without them.
const IMPLIED_FLAGS: u32 = CONCAT | sys::NFT_SET_EXPR;
/// Flags whose meaning is known.
const KNOWN_FLAGS: u32 = IMPLIED_FLAGS
    | sys::NFT_SET_INTERVAL
    | sys::NFT_SET_MAP
    | sys::NFT_SET_TIMEOUT
    | sys::NFT_SET_EVAL
    | sys::NFT_SET_ANONYMOUS
    | sys::NFT_SET_CONSTANT
    | sys::NFT_SET_OBJECT;

/// The attributes that create a set. `id` must differ for every set of a batch.
pub(super) fn write(writer: &mut Writer, spec: &SetSpec, id: u32) {
    let SetSpec {
        name,
        key,
        kind,
        interval,
        dynamic,
        timeout,
        gc_interval,
        size,
        counter,
        comment: _,
    } = spec;
    let concatenated_intervals = *interval && key.len() > 1;
    let mut flags = 0;
    for (on, flag) in [
        (*interval, sys::NFT_SET_INTERVAL),
        (concatenated_intervals, CONCAT),
        (*kind != SetKind::Set, sys::NFT_SET_MAP),
        (
            timeout.is_some() || gc_interval.is_some(),
            sys::NFT_SET_TIMEOUT,
        ),
        (*dynamic, sys::NFT_SET_EVAL),
    ] {
        if on {
            flags |= flag;
        }
    }
    writer.string(sys::NFTA_SET_NAME, name);
    writer.be32(sys::NFTA_SET_FLAGS, flags);
    writer.be32(sys::NFTA_SET_KEY_TYPE, key_type::key_number(key));
    writer.be32(sys::NFTA_SET_KEY_LEN, width(spec.key_width()));
    match kind {
        SetKind::Set => {}
        SetKind::Map(value) => {
            writer.be32(sys::NFTA_SET_DATA_TYPE, key_type::number(*value));
            writer.be32(sys::NFTA_SET_DATA_LEN, width(value.width()));
        }
        SetKind::VerdictMap => {
            writer.be32(sys::NFTA_SET_DATA_TYPE, VERDICT_TYPE);
            writer.be32(sys::NFTA_SET_DATA_LEN, 0);
        }
    }
    writer.be32(sys::NFTA_SET_ID, id);
    if size.is_some() || concatenated_intervals {
        writer.nest(sys::NFTA_SET_DESC, |writer| {
            if let Some(size) = size {
                writer.be32(sys::NFTA_SET_DESC_SIZE, *size);
            }
            if concatenated_intervals {
                writer.nest(sys::NFTA_SET_DESC_CONCAT, |writer| fields(writer, key));
            }
        });
    }
    if let Some(timeout) = timeout {
        writer.be64(sys::NFTA_SET_TIMEOUT, *timeout);
    }
    if let Some(interval) = gc_interval {
        writer.be32(sys::NFTA_SET_GC_INTERVAL, *interval);
    }
    writer.bytes(sys::NFTA_SET_USERDATA, &userdata::set(spec));
    if *counter {
        writer.nest(sys::NFTA_SET_EXPR, |writer| {
            expression::write_expression(writer, &Instruction::Counter(Count::default()));
        });
    }
}

/// The widths of the fields, unpadded: the kernel pads by itself.
fn fields(writer: &mut Writer, key: &[DataType]) {
    for field in key {
        writer.list_element(|writer| {
            writer.be32(sys::NFTA_SET_FIELD_LEN, width(field.width()));
        });
    }
}

/// No key is wider than 64 bytes.
fn width(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A set as read, without elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetHead {
    /// The table it is in.
    pub(super) table: String,
    /// The kernel's id.
    pub(super) handle: u64,
    /// What it is, as far as rfw can say it.
    pub(super) spec: SetSpec,
    /// What it is beyond that.
    pub(super) unknown: Vec<String>,
    /// Whether it belongs to one rule.
    pub(super) anonymous: bool,
    /// How many elements the kernel says it has; older kernels do not say.
    pub(super) count: Option<u32>,
}

/// Reads the attributes of a set.
pub(super) fn read(bytes: &[u8]) -> Result<SetHead, Malformed> {
    let mut head = SetHead {
        table: String::new(),
        handle: 0,
        spec: SetSpec::new("", Vec::new(), SetKind::Set),
        unknown: Vec::new(),
        anonymous: false,
        count: None,
    };
    let mut flags = 0;
    let mut key_number = 0;
    let mut key_length = 0;
    let mut data_type = None;
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_SET_TABLE => head.table = attribute.string(),
            sys::NFTA_SET_NAME => head.spec.name = attribute.string(),
            sys::NFTA_SET_HANDLE => head.handle = attribute.be64()?,
            sys::NFTA_SET_FLAGS => flags = attribute.be32()?,
            sys::NFTA_SET_KEY_TYPE => key_number = attribute.be32()?,
            sys::NFTA_SET_KEY_LEN => key_length = attribute.be32()?,
            sys::NFTA_SET_DATA_TYPE => data_type = Some(attribute.be32()?),
            NFTA_SET_COUNT => head.count = Some(attribute.be32()?),
            sys::NFTA_SET_DESC => head.spec.size = size(&attribute)?,
            sys::NFTA_SET_TIMEOUT => head.spec.timeout = Some(attribute.be64()?),
            sys::NFTA_SET_USERDATA => head.spec.comment = userdata::set_comment(attribute.value),
            sys::NFTA_SET_EXPR => state(&mut head, attribute.value)?,
            sys::NFTA_SET_EXPRESSIONS => {
                for element in attribute.nested() {
                    state(&mut head, element?.value)?;
                }
            }
            sys::NFTA_SET_POLICY => {
                let policy = attribute.be32()?;
                if policy != sys::NFT_SET_POL_PERFORMANCE {
                    head.unknown.push(format!("policy {policy}"));
                }
            }
            sys::NFTA_SET_GC_INTERVAL => head.spec.gc_interval = Some(attribute.be32()?),
            sys::NFTA_SET_OBJ_TYPE => {
                let kind = attribute.be32()?;
                head.unknown
                    .push(format!("values are objects of type {kind}"));
            }
            // DATA_LEN follows from the type; the rest tells how the kernel keeps the set, and newer
            // kernels say more of it.
            _ => {}
        }
    }
    read_flags(&mut head, flags);
    read_key(&mut head, key_number, key_length);
    if flags & sys::NFT_SET_MAP != 0 {
        read_kind(&mut head, data_type);
    }
    Ok(head)
}

/// A set as a lookup sees it, also where rfw does not know its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// What can be said of it.
    pub(super) head: SetHead,
    /// The widths in bytes of what is compared: each field of a set of ranges over several fields, unpadded; else the whole key.
    pub(super) fields: Vec<usize>,
    /// Why nobody can say what a lookup yields.
    pub(super) obstacle: Option<String>,
}

/// The greatest key (linux/netfilter/nf_tables.h `NFT_DATA_VALUE_MAXLEN`).
const WIDEST_KEY: u32 = 64;

/// Reads the attributes of a set of any table.
pub(super) fn shape(bytes: &[u8]) -> Result<Shape, Malformed> {
    let mut head = read(bytes)?;
    let mut flags = 0;
    let mut key_length = 0;
    let mut fields = Vec::new();
    for attribute in attributes(bytes) {
        let attribute = attribute?;
        match attribute.kind {
            sys::NFTA_SET_FLAGS => flags = attribute.be32()?,
            sys::NFTA_SET_KEY_LEN => key_length = attribute.be32()?,
            sys::NFTA_SET_DESC => fields = field_widths(&attribute)?,
            _ => {}
        }
    }
    let keeps = head
        .unknown
        .iter()
        .find(|it| it.starts_with("elements keep"));
    let padded: usize = fields.iter().map(|width| width.next_multiple_of(4)).sum();
    let is_of_several = head.spec.interval && fields.len() > 1;
    let obstacle = if flags & !KNOWN_FLAGS != 0 {
        Some(format!("flags {:#x}", flags & !KNOWN_FLAGS))
    } else if key_length > WIDEST_KEY {
        Some(format!("a key of {key_length} bytes"))
    } else if head.spec.interval && flags & CONCAT != 0 && padded != key_length as usize {
        Some("fields that are not told".to_owned())
    } else {
        keeps.cloned()
    };
    if !is_of_several {
        fields = vec![key_length.min(WIDEST_KEY) as usize];
    }
    // What the elements are made of is decided by the fields that the kernel has, not by the types that rfw knows.
    head.spec
        .key
        .resize(if is_of_several { 2 } else { 1 }, DataType::Number);
    Ok(Shape {
        head,
        fields,
        obstacle,
    })
}

fn field_widths(desc: &Attribute<'_>) -> Result<Vec<usize>, Malformed> {
    let mut widths = Vec::new();
    for attribute in desc.nested() {
        let attribute = attribute?;
        if attribute.kind != sys::NFTA_SET_DESC_CONCAT {
            continue;
        }
        for field in attribute.nested() {
            for attribute in field?.nested() {
                let attribute = attribute?;
                if attribute.kind == sys::NFTA_SET_FIELD_LEN {
                    widths.push(attribute.be32()? as usize);
                }
            }
        }
    }
    Ok(widths)
}

fn size(desc: &Attribute<'_>) -> Result<Option<u32>, Malformed> {
    let mut size = None;
    for attribute in desc.nested() {
        let attribute = attribute?;
        if attribute.kind == sys::NFTA_SET_DESC_SIZE {
            size = Some(attribute.be32()?);
        }
    }
    Ok(size)
}

/// What every element keeps.
fn state(head: &mut SetHead, expression: &[u8]) -> Result<(), Malformed> {
    match expression::expression(expression)? {
        Instruction::Counter(_) if !head.spec.counter => head.spec.counter = true,
        Instruction::Opaque { name, data: _ } => {
            head.unknown.push(format!("elements keep a {name}"));
        }
        other => head.unknown.push(format!("elements keep {other:?}")),
    }
    Ok(())
}

fn read_flags(head: &mut SetHead, flags: u32) {
    head.spec.interval = flags & sys::NFT_SET_INTERVAL != 0;
    head.anonymous = flags & sys::NFT_SET_ANONYMOUS != 0;
    head.spec.dynamic = flags & sys::NFT_SET_EVAL != 0;
    if flags & sys::NFT_SET_TIMEOUT != 0 {
        // Without a default of its own, only elements with their own timeout leave.
        if head.spec.timeout.is_none() && head.spec.gc_interval.is_none() {
            head.unknown.push("flag timeout without a timeout".into());
        }
    }
    for (flag, name) in [
        (sys::NFT_SET_CONSTANT, "constant"),
        (sys::NFT_SET_OBJECT, "object"),
    ] {
        if flags & flag != 0 {
            head.unknown.push(format!("flag {name}"));
        }
    }
    if flags & !KNOWN_FLAGS != 0 {
        head.unknown
            .push(format!("flags {:#x}", flags & !KNOWN_FLAGS));
    }
}

fn read_key(head: &mut SetHead, number: u32, length: u32) {
    let mut all_known = true;
    for field in key_type::key(number) {
        match field {
            Ok(data_type) => head.spec.key.push(data_type),
            Err(number) => {
                all_known = false;
                head.unknown.push(format!("key type {number}"));
            }
        }
    }
    if all_known && width(head.spec.key_width()) != length {
        head.unknown
            .push(format!("key of {length} bytes, type {number:#x}"));
    }
}

fn read_kind(head: &mut SetHead, number: Option<u32>) {
    head.spec.kind = match number {
        Some(VERDICT_TYPE) => SetKind::VerdictMap,
        Some(number) => match key_type::data_type(number) {
            Some(data_type) => SetKind::Map(data_type),
            None => {
                head.unknown.push(format!("value type {number}"));
                SetKind::Map(DataType::Number)
            }
        },
        // A map to objects.
        None => SetKind::Map(DataType::Number),
    };
}
