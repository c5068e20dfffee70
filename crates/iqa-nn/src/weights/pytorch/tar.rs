//! The tar archives of before PyTorch 0.1.10: tables of storages and of tensors, and a pickle that names the tensors.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use super::PytorchFailure;
use super::pickle::{Object, Pickle, key};
use super::tensor::{Element, Storage, Tensor};

/// Bytes of a header, and what contents are rounded up to.
const BLOCK: usize = 512;

fn damaged(what: &'static str) -> PytorchFailure {
    PytorchFailure::Tar(what)
}

/// Content of the entries by name.
fn entries(bytes: &[u8]) -> Result<HashMap<String, &[u8]>, PytorchFailure> {
    let mut entries = HashMap::new();
    let mut rest = bytes;
    while let Some((header, behind)) = rest.split_at_checked(BLOCK) {
        if header[0] == 0 {
            break;
        }
        let text = |range: std::ops::Range<usize>| {
            let field = header[range].split(|&byte| byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).map_err(|_| damaged("an entry has no size"))?;
        let content = behind.get(..size).ok_or(damaged("the file is truncated"))?;
        entries.insert(text(0..100).trim_start_matches("./").to_owned(), content);
        rest = behind.get(size.div_ceil(BLOCK) * BLOCK..).unwrap_or_default();
    }
    Ok(entries)
}

fn number(input: &mut Cursor<&[u8]>) -> Result<usize, PytorchFailure> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    usize::try_from(i64::from_le_bytes(bytes)).map_err(|_| damaged("a size is negative"))
}

fn count(input: &mut Cursor<&[u8]>) -> Result<usize, PytorchFailure> {
    match Pickle::read(input)?.root() {
        Object::Int(count) => usize::try_from(*count).map_err(|_| damaged("a count is negative")),
        _ => Err(damaged("a table has no count")),
    }
}

/// Where the bytes of a storage lie in the archive's table.
type Places = HashMap<String, (usize, usize)>;

/// The object in the archive, and the bytes of its storages with their places.
pub(super) fn read(bytes: &[u8]) -> Result<(Pickle, Vec<u8>, Places), PytorchFailure> {
    let entries = entries(bytes)?;
    let entry = |name: &str| entries.get(name).copied().ok_or(damaged("one of its tables is missing"));
    if let Some(info) = entries.get("sys_info") {
        super::check_byte_order(&Pickle::read(&mut Cursor::new(*info))?)?;
    }
    let data = entry("storages")?;
    let mut storages: HashMap<String, Storage> = HashMap::new();
    let mut places = Places::new();
    let mut input = Cursor::new(data);
    for _ in 0..count(&mut input)? {
        let about = Pickle::read(&mut input)?;
        let [name, _, Object::Class(class)] = about.fields()[..] else {
            return Err(damaged("a storage has no type"));
        };
        let name = key(name).ok_or(damaged("a storage has no name"))?;
        let elements = number(&mut input)?;
        let storage = Storage { key: name.clone(), class: class.clone(), elements, view_offset: 0 };
        let start = input.position() as usize;
        let end = storage.bytes().and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= data.len());
        let end = end.ok_or(damaged("a storage reaches behind the end of its table"))?;
        input.set_position(end as u64);
        places.insert(name.clone(), (start, end - start));
        storages.insert(name, storage);
    }
    let views = Pickle::read(&mut input)?;
    let Object::Sequence(views_of) = views.root() else { return Err(damaged("its storages have no views")) };
    for &view in views_of {
        let Object::Sequence(fields) = views.get(view) else { return Err(damaged("a view is damaged")) };
        let fields: Vec<&Object> = fields.iter().map(|&id| views.get(id)).collect();
        let [name, root, Object::Int(offset), Object::Int(_)] = fields[..] else {
            return Err(damaged("a view is damaged"));
        };
        let (name, root) = key(name).zip(key(root)).ok_or(damaged("a view has no name"))?;
        let root = storages.get(&root).ok_or(damaged("a view is of no storage"))?;
        let view_offset = usize::try_from(*offset).map_err(|_| damaged("a view has a negative offset"))?;
        let view = Storage { view_offset, ..root.clone() };
        storages.insert(name, view);
    }
    let mut tensors = HashMap::new();
    let mut input = Cursor::new(entry("tensors")?);
    for _ in 0..count(&mut input)? {
        let about = Pickle::read(&mut input)?;
        let [name, storage, _] = about.fields()[..] else { return Err(damaged("a tensor is damaged")) };
        let (name, storage) = key(name).zip(key(storage)).ok_or(damaged("a tensor has no name"))?;
        let storage = storages.get(&storage).ok_or(damaged("a tensor has no storage"))?.clone();
        // The number of axes has 4 bytes, and as many that mean nothing.
        let axes = number(&mut input)? & 0xffff_ffff;
        if axes > 64 {
            return Err(damaged("a tensor has more than 64 axes"));
        }
        let mut sizes = || (0..axes).map(|_| number(&mut input)).collect::<Result<Vec<_>, _>>();
        let (shape, stride) = (sizes()?, sizes()?);
        let offset = number(&mut input)?;
        let element = Element::of_name(&storage.class).ok_or(damaged("a tensor has an unknown type"))?;
        tensors.insert(name, Tensor { storage, element, offset, shape, stride, negated: false });
    }
    let root = Pickle::read_with(&mut Cursor::new(entry("pickle")?), &tensors)?;
    Ok((root, data.to_vec(), places))
}
