//! What Python calls while it reads a pickle, as far as it is done here: PyTorch's functions that make tensors, modules, and
//! the dictionaries of Python's library.

use std::io::BufRead;

use super::{Id, Machine, Object, damaged, key};
use crate::weights::pytorch::PytorchFailure;
use crate::weights::pytorch::tensor::{Element, Storage, Tensor};

impl<R: BufRead> Machine<'_, R> {
    /// What a class makes: dictionaries of Python's library, or an object that is not read.
    pub(super) fn push_made(&mut self, class: String, first: Option<Id>) {
        let content = first.map(|id| self.objects[id].clone());
        match (class.as_str(), content) {
            (
                "collections.OrderedDict" | "collections.Counter" | "builtins.dict",
                Some(Object::Dict(pairs)),
            ) => {
                self.push(Object::Dict(pairs));
            }
            ("collections.OrderedDict" | "builtins.dict", Some(Object::Sequence(items))) => {
                let pair =
                    |&id: &Id| if let [key, value] = self.items(id) { Some((*key, *value)) } else { None };
                let pairs = items.iter().filter_map(pair).collect();
                self.push(Object::Dict(pairs));
            }
            (
                "collections.OrderedDict"
                | "collections.defaultdict"
                | "collections.Counter"
                | "builtins.dict",
                _,
            ) => self.push(Object::Dict(Vec::new())),
            (
                "builtins.set"
                | "builtins.frozenset"
                | "builtins.list"
                | "__builtin__.set"
                | "__builtin__.frozenset",
                content,
            ) => self.push(content.unwrap_or(Object::Sequence(Vec::new()))),
            _ => self.push_other(class, false),
        }
    }

    /// Calls of PyTorch that make tensors; all others are kept by name.
    pub(super) fn call(&mut self, callable: Id, arguments: Id, depth: usize) -> Result<(), PytorchFailure> {
        let class = self.class(callable);
        let items = self.items(arguments).to_vec();
        match class.as_str() {
            "torch._utils._rebuild_tensor"
            | "torch._utils._rebuild_tensor_v2"
            | "torch._utils._rebuild_tensor_v3" => {
                let tensor = self.tensor(&class, &items)?;
                self.push(tensor);
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                self.stack.push(*items.first().ok_or(damaged("a parameter has no tensor"))?);
            }
            // The tensor of a subclass: the call that follows.
            "torch._tensor._rebuild_from_type_v2" if items.len() >= 3 && depth < 4 => {
                self.call(items[0], items[2], depth + 1)?;
            }
            _ if items.iter().any(|&id| self.holds_storage(id)) => self.push_other(class, true),
            _ => self.push_made(class, items.first().copied()),
        }
        Ok(())
    }

    /// Whether an argument is a tensor or its values, or a sequence with one in it.
    fn holds_storage(&self, id: Id) -> bool {
        let is = |id: Id| matches!(self.objects[id], Object::Storage(_) | Object::Tensor(_));
        is(id) || self.items(id).iter().any(|&id| is(id))
    }

    /// The tensor of `storage, offset, shape, stride[, requires_grad, hooks[, type], metadata]`.
    fn tensor(&self, function: &str, items: &[Id]) -> Result<Object, PytorchFailure> {
        let [storage, offset, shape, stride, rest @ ..] = items else {
            return Err(damaged("a tensor has too few fields"));
        };
        let Object::Storage(storage) = &self.objects[*storage] else {
            return Err(damaged("a tensor has no storage"));
        };
        let typed = function.ends_with("_v3");
        let metadata = rest.get(if typed { 3 } else { 2 });
        let class = match rest.get(2) {
            Some(&id) if typed => self.class(id),
            _ => storage.class.clone(),
        };
        let Some(element) = Element::of_name(&class) else {
            return Ok(Object::Other { class, attributes: None, of_storage: true });
        };
        let sizes = |id: Id| self.items(id).iter().map(|&id| self.size(id)).collect::<Result<Vec<_>, _>>();
        // Complex numbers are refused by their type, so that there is nothing to conjugate.
        let negated = metadata.is_some_and(|&id| {
            let Object::Dict(pairs) = &self.objects[id] else { return false };
            let set = |&(_, value): &(Id, Id)| matches!(self.objects[value], Object::Bool(true));
            pairs.iter().filter(|pair| self.text(pair.0) == Some("neg")).any(set)
        });
        Ok(Object::Tensor(Tensor {
            storage: storage.clone(),
            element,
            offset: self.size(*offset)?,
            shape: sizes(*shape)?,
            stride: sizes(*stride)?,
            negated,
        }))
    }

    fn size(&self, id: Id) -> Result<usize, PytorchFailure> {
        let size = if let Object::Int(size) = self.objects[id] { usize::try_from(size).ok() } else { None };
        size.ok_or(damaged("a size is no whole number of 0 or more"))
    }

    fn text(&self, id: Id) -> Option<&str> {
        if let Object::Str(text) = &self.objects[id] { Some(text) } else { None }
    }

    /// `('storage', type, key, place, elements[, (view, offset, elements)])`, or the key of a tensor in an archive of
    /// before PyTorch 0.1.10.
    pub(super) fn persistent(&mut self) -> Result<(), PytorchFailure> {
        let id = self.pop()?;
        let items = self.items(id);
        let [_, class, name, _, elements, view @ ..] = items else {
            let tensor = key(&self.objects[id]).and_then(|key| self.tensors.get(&key));
            let tensor = tensor.ok_or(damaged("it refers to a tensor that is not there"))?.clone();
            self.push(Object::Tensor(tensor));
            return Ok(());
        };
        let key = key(&self.objects[*name]).ok_or(damaged("a storage has no name"))?;
        let elements = self.size(*elements)?;
        let view_offset = match view.first().map(|&id| self.items(id)) {
            Some([_, offset, _]) => self.size(*offset)?,
            _ => 0,
        };
        let class = if let Some(name) = self.text(*class) { name.into() } else { self.class(*class) };
        let storage = Storage { key, class, elements, view_offset };
        self.push(Object::Storage(storage));
        Ok(())
    }

    /// Gives an object its attributes. Those of a `torch.nn.Module` become its `state_dict()`.
    pub(super) fn build(&mut self, object: Id, state: Id) {
        if !matches!(self.objects[object], Object::Other { of_storage: false, .. }) {
            return;
        }
        let table = |name: &str| {
            let Object::Dict(pairs) = &self.objects[state] else { return None };
            pairs.iter().rev().find(|pair| self.text(pair.0) == Some(name)).map(|pair| pair.1)
        };
        let dict = |name: &str| match table(name).map(|id| &self.objects[id]) {
            Some(Object::Dict(pairs)) => Some(pairs.clone()),
            _ => None,
        };
        let Some(((mut all, buffers), modules)) =
            dict("_parameters").zip(dict("_buffers")).zip(dict("_modules"))
        else {
            if let Object::Other { attributes, .. } = &mut self.objects[object] {
                *attributes = Some(state);
            }
            return;
        };
        let transient = table("_non_persistent_buffers_set").map_or(&[][..], |id| self.items(id));
        let kept = |name: Id| !transient.iter().any(|&other| self.text(other) == self.text(name));
        all.extend(buffers.into_iter().filter(|&(name, _)| kept(name)));
        all.extend(modules);
        self.objects[object] = Object::Dict(all);
    }
}
