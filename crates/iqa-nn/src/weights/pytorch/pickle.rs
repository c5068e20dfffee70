//! As much of Python's pickles as PyTorch's files need: nothing is called, what is unknown is kept by name.
//!
//! Objects stand in one list and refer to each other by place, as Python's do by reference: a pickle that nests
//! deeply, or refers to itself, costs no more than its length.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use super::PytorchFailure;
use super::tensor::{Storage, Tensor};

mod calls;

/// Place of an object in [`Pickle::objects`].
pub(super) type Id = usize;

/// A Python object.
#[derive(Clone, Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Str(String),
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// `module.name` of a class or function.
    Class(String),
    Storage(Storage),
    Tensor(Tensor),
    /// What a call or a class made that is not read, with its attributes as a dictionary.
    Other {
        class: String,
        attributes: Option<Id>,
        /// Whether it was made from a tensor's values: a quantised or sparse tensor.
        of_storage: bool,
    },
}

/// A pickle that was read.
pub(super) struct Pickle {
    objects: Vec<Object>,
    root: Id,
}

fn damaged(what: &'static str) -> PytorchFailure {
    PytorchFailure::Pickle(what)
}

impl Pickle {
    /// Reads one pickle and leaves `input` behind it.
    pub(super) fn read(input: &mut impl BufRead) -> Result<Self, PytorchFailure> {
        Self::read_with(input, &HashMap::new())
    }

    /// As [`Self::read`], of a pickle that names these tensors.
    pub(super) fn read_with(
        input: &mut impl BufRead,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Self, PytorchFailure> {
        let mut machine = Machine {
            input,
            tensors,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run()?;
        Ok(Self { objects: machine.objects, root })
    }

    pub(super) fn root(&self) -> &Object {
        &self.objects[self.root]
    }

    pub(super) fn get(&self, id: Id) -> &Object {
        &self.objects[id]
    }

    pub(super) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The members of a sequence at the root.
    pub(super) fn fields(&self) -> Vec<&Object> {
        if let Object::Sequence(items) = self.root() {
            items.iter().map(|&id| self.get(id)).collect()
        } else {
            Vec::new()
        }
    }

    /// What a dictionary has under a name.
    pub(super) fn entry(&self, dict: &Object, key: &str) -> Option<&Object> {
        let Object::Dict(pairs) = dict else { return None };
        let named = |pair: &&(Id, Id)| matches!(self.get(pair.0), Object::Str(name) if name == key);
        pairs.iter().rev().find(named).map(|pair| self.get(pair.1))
    }
}

/// A key as PyTorch writes one: text, or a number.
pub(super) fn key(object: &Object) -> Option<String> {
    match object {
        Object::Str(text) => Some(text.clone()),
        Object::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Machine<'a, R> {
    input: &'a mut R,
    /// Tensors that a persistent id may name.
    tensors: &'a HashMap<String, Tensor>,
    objects: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<R: BufRead> Machine<'_, R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], PytorchFailure> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|_| damaged("it ends too early"))?;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, PytorchFailure> {
        Ok(self.bytes::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, PytorchFailure> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn long_bytes(&mut self, length: u64) -> Result<Vec<u8>, PytorchFailure> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged("it ends too early")) }
    }

    fn line(&mut self) -> Result<String, PytorchFailure> {
        let mut line = Vec::new();
        self.input.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(damaged("it ends too early"));
        }
        // Protocol 0 escapes what is no Latin-1; names of tensors are ASCII.
        Ok(line.into_iter().map(char::from).collect())
    }

    fn number(&mut self) -> Result<u32, PytorchFailure> {
        self.line()?.trim().parse().map_err(|_| damaged("a number is none"))
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn push_text(&mut self, bytes: Vec<u8>) {
        self.push(Object::Str(String::from_utf8_lossy(&bytes).into_owned()));
    }

    /// Python's whole numbers have any size; none that is needed here has more than 64 bits.
    fn push_long(&mut self, bytes: &[u8]) {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        if bytes.len() <= number.len() {
            number[..bytes.len()].copy_from_slice(bytes);
            self.push(Object::Int(i64::from_le_bytes(number)));
        } else {
            self.push_other("int".into(), false);
        }
    }

    fn push_other(&mut self, class: String, of_storage: bool) {
        self.push(Object::Other { class, attributes: None, of_storage });
    }

    fn pop(&mut self) -> Result<Id, PytorchFailure> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err(damaged("it takes more than there is"));
        }
        self.stack.pop().ok_or(damaged("it takes more than there is"))
    }

    fn top(&self) -> Result<Id, PytorchFailure> {
        self.stack.last().copied().ok_or(damaged("it takes more than there is"))
    }

    /// The objects above the last mark.
    fn marked(&mut self) -> Result<Vec<Id>, PytorchFailure> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or(damaged("a mark is missing"))?))
    }

    fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, PytorchFailure> {
        match items.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.iter().map(|pair| (pair[0], pair[1])).collect()),
            _ => Err(damaged("a key has no value")),
        }
    }

    /// Puts entries into the dictionary on top; what only looks like one keeps none.
    fn set(&mut self, mut pairs: Vec<(Id, Id)>) -> Result<(), PytorchFailure> {
        let top = self.top()?;
        if let Object::Dict(all) = &mut self.objects[top] {
            all.append(&mut pairs);
        }
        Ok(())
    }

    fn append(&mut self, mut items: Vec<Id>) -> Result<(), PytorchFailure> {
        let top = self.top()?;
        if let Object::Sequence(all) = &mut self.objects[top] {
            all.append(&mut items);
        }
        Ok(())
    }

    fn remember(&mut self, key: u32) -> Result<(), PytorchFailure> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), PytorchFailure> {
        let id = *self.memo.get(&key).ok_or(damaged("it refers to nothing"))?;
        self.stack.push(id);
        Ok(())
    }

    fn run(&mut self) -> Result<Id, PytorchFailure> {
        loop {
            match self.u8()? {
                b'.' => return self.pop(),
                // Protocol, frame: nothing to do.
                0x80 => drop(self.u8()?),
                0x95 => drop(self.bytes::<8>()?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.marked()?),
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                b'N' => self.push(Object::None),
                0x88 => self.push(Object::Bool(true)),
                0x89 => self.push(Object::Bool(false)),
                b'K' => {
                    let number = self.u8()?;
                    self.push(Object::Int(number.into()));
                }
                b'M' => {
                    let number = u16::from_le_bytes(self.bytes()?);
                    self.push(Object::Int(number.into()));
                }
                b'J' => {
                    let number = i32::from_le_bytes(self.bytes()?);
                    self.push(Object::Int(number.into()));
                }
                b'I' | b'L' => match self.line()?.trim_end_matches('L') {
                    "00" => self.push(Object::Bool(false)),
                    "01" => self.push(Object::Bool(true)),
                    number => match number.parse() {
                        Ok(number) => self.push(Object::Int(number)),
                        Err(_) => self.push_other("int".into(), false),
                    },
                },
                0x8a => {
                    let length = self.u8()?;
                    let bytes = self.long_bytes(length.into())?;
                    self.push_long(&bytes);
                }
                0x8b => {
                    let length = self.u32()?;
                    let bytes = self.long_bytes(length.into())?;
                    self.push_long(&bytes);
                }
                b'F' => {
                    self.line()?;
                    self.push_other("float".into(), false);
                }
                b'G' => {
                    self.bytes::<8>()?;
                    self.push_other("float".into(), false);
                }
                b'V' | b'S' => {
                    let line = self.line()?;
                    self.push(Object::Str(line.trim_matches('\'').into()));
                }
                b'U' | 0x8c => {
                    let length = self.u8()?;
                    let bytes = self.long_bytes(length.into())?;
                    self.push_text(bytes);
                }
                b'T' | b'X' => {
                    let length = self.u32()?;
                    let bytes = self.long_bytes(length.into())?;
                    self.push_text(bytes);
                }
                0x8d => {
                    let length = u64::from_le_bytes(self.bytes()?);
                    let bytes = self.long_bytes(length)?;
                    self.push_text(bytes);
                }
                code @ (b'C' | b'B' | 0x8e | 0x96) => {
                    let length = match code {
                        b'C' => self.u8()?.into(),
                        b'B' => self.u32()?.into(),
                        _ => u64::from_le_bytes(self.bytes()?),
                    };
                    self.long_bytes(length)?;
                    self.push_other("bytes".into(), false);
                }
                b')' | b']' | 0x8f => self.push(Object::Sequence(Vec::new())),
                0x85 => {
                    let items = vec![self.pop()?];
                    self.push(Object::Sequence(items));
                }
                0x86 => {
                    let (second, first) = (self.pop()?, self.pop()?);
                    self.push(Object::Sequence(vec![first, second]));
                }
                0x87 => {
                    let (third, second, first) = (self.pop()?, self.pop()?, self.pop()?);
                    self.push(Object::Sequence(vec![first, second, third]));
                }
                b't' | b'l' | 0x91 => {
                    let items = self.marked()?;
                    self.push(Object::Sequence(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' | 0x90 => {
                    let items = self.marked()?;
                    self.append(items)?;
                }
                b'}' => self.push(Object::Dict(Vec::new())),
                b'd' => {
                    let items = self.marked()?;
                    self.push(Object::Dict(Self::pairs(&items)?));
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(vec![(key, value)])?;
                }
                b'u' => {
                    let items = self.marked()?;
                    self.set(Self::pairs(&items)?)?;
                }
                b'p' => {
                    let key = self.number()?;
                    self.remember(key)?;
                }
                b'q' => {
                    let key = self.u8()?;
                    self.remember(key.into())?;
                }
                b'r' => {
                    let key = self.u32()?;
                    self.remember(key)?;
                }
                0x94 => {
                    let key = u32::try_from(self.memo.len()).map_err(|_| damaged("it is too long"))?;
                    self.remember(key)?;
                }
                b'g' => {
                    let key = self.number()?;
                    self.recall(key)?;
                }
                b'h' => {
                    let key = self.u8()?;
                    self.recall(key.into())?;
                }
                b'j' => {
                    let key = self.u32()?;
                    self.recall(key)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Object::Class(format!("{module}.{name}")));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Object::Str(module), Object::Str(name)) =
                        (&self.objects[module], &self.objects[name])
                    else {
                        return Err(damaged("a class has no name"));
                    };
                    let class = format!("{module}.{name}");
                    self.push(Object::Class(class));
                }
                b'P' => {
                    let line = self.line()?;
                    self.push(Object::Str(line));
                    self.persistent()?;
                }
                b'Q' => self.persistent()?,
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    self.call(callable, arguments, 0)?;
                }
                code @ (0x81 | 0x92) => {
                    if code == 0x92 {
                        self.pop()?;
                    }
                    let (_, class) = (self.pop()?, self.pop()?);
                    let class = self.class(class);
                    self.push_made(class, None);
                }
                code @ (b'i' | b'o') => {
                    let mut items = self.marked()?;
                    let class = if code == b'i' {
                        format!("{}.{}", self.line()?, self.line()?)
                    } else if items.is_empty() {
                        return Err(damaged("a class is missing"));
                    } else {
                        self.class(items.remove(0))
                    };
                    self.push_made(class, None);
                }
                b'b' => {
                    let (state, object) = (self.pop()?, self.top()?);
                    self.build(object, state);
                }
                code => return Err(PytorchFailure::Opcode(code)),
            }
        }
    }

    fn class(&self, id: Id) -> String {
        match &self.objects[id] {
            Object::Class(name) | Object::Other { class: name, .. } => name.clone(),
            _ => "an object".into(),
        }
    }

    fn items(&self, id: Id) -> &[Id] {
        if let Object::Sequence(items) = &self.objects[id] { items } else { &[] }
    }
}
