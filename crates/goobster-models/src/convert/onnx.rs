//! Just enough of ONNX to lift named weights out of a model: protocol-buffer fields down to the tensors that `Constant`
//! nodes hold, in sub-graphs too. Works on the bytes in memory (the caller caps the file's size); lengths, nesting and
//! counts are bounded.

use crate::error::ModelError;

const MAX_DEPTH: u32 = 8;
const MAX_RANK: usize = 8;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// A float tensor that a `Constant` node yields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    /// The name of the node's output: what other nodes call the tensor.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// One field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of one message, one after the other.
struct Message<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begins in the file, for complaints.
    base: u64,
    label: &'a str,
}

impl<'a> Message<'a> {
    fn fail(&self, what: impl Into<String>) -> ModelError {
        ModelError::Format {
            file: self.label.to_owned(),
            offset: self.base,
            what: what.into(),
        }
    }

    fn advance(&mut self, n: usize) -> Result<&'a [u8], ModelError> {
        let Some((head, tail)) = self.bytes.split_at_checked(n) else {
            return Err(self.fail(format!(
                "a field of {n} bytes where {} are left",
                self.bytes.len()
            )));
        };
        self.bytes = tail;
        self.base += n as u64;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64, ModelError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.advance(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.fail("a number longer than ten bytes"))
    }

    /// The next field's number and content, or `None` at the end. 64-bit and 32-bit fields come as their bytes.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, ModelError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Bytes(self.advance(8)?),
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).map_err(|_| self.fail("a length beyond memory"))?;
                Field::Bytes(self.advance(len)?)
            }
            5 => Field::Bytes(self.advance(4)?),
            wire => return Err(self.fail(format!("unknown wire type {wire}"))),
        };
        Ok(Some((key >> 3, field)))
    }

    /// A message inside this one; call it right after [`Self::next`] gave its bytes.
    fn inner(&self, bytes: &'a [u8]) -> Self {
        Message {
            bytes,
            base: self.base - bytes.len() as u64,
            label: self.label,
        }
    }
}

/// Every float constant whose name `wanted` accepts.
pub(crate) fn constants(
    model: &[u8],
    label: &str,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Constant>, ModelError> {
    let mut found = Vec::new();
    let mut message = Message {
        bytes: model,
        base: 0,
        label,
    };
    while let Some((number, field)) = message.next()? {
        // ModelProto.graph
        if let (7, Field::Bytes(b)) = (number, field) {
            graph(message.inner(b), 0, wanted, &mut found)?;
        }
    }
    Ok(found)
}

fn graph(
    mut message: Message<'_>,
    depth: u32,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Vec<Constant>,
) -> Result<(), ModelError> {
    if depth > MAX_DEPTH {
        return Err(message.fail(format!("graphs nested more than {MAX_DEPTH} deep")));
    }
    while let Some((number, field)) = message.next()? {
        // GraphProto.node
        if let (1, Field::Bytes(b)) = (number, field) {
            node(message.inner(b), depth, wanted, found)?;
        }
    }
    Ok(())
}

fn node(
    mut message: Message<'_>,
    depth: u32,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Vec<Constant>,
) -> Result<(), ModelError> {
    let mut output = None;
    let mut tensor_bytes = None;
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            // NodeProto.output; the first one
            (2, Field::Bytes(b)) if output.is_none() => {
                output = Some(std::str::from_utf8(b).map_err(|_| message.fail("a name that is not UTF-8"))?);
            }
            // NodeProto.attribute
            (5, Field::Bytes(b)) => {
                let mut attribute = message.inner(b);
                while let Some((number, field)) = attribute.next()? {
                    match (number, field) {
                        // AttributeProto.t
                        (5, Field::Bytes(b)) => tensor_bytes = Some(attribute.inner(b)),
                        // AttributeProto.g
                        (6, Field::Bytes(b)) => graph(attribute.inner(b), depth + 1, wanted, found)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if let (Some(name), Some(t)) = (output, tensor_bytes)
        && wanted(name)
    {
        found.push(tensor(t, name)?);
    }
    Ok(())
}

fn tensor(mut message: Message<'_>, name: &str) -> Result<Constant, ModelError> {
    let mut shape = Vec::new();
    let mut kind = 0;
    let mut raw: &[u8] = &[];
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            // TensorProto.dims: one by one, or packed
            (1, Field::Number(n)) => shape.push(n),
            (1, Field::Bytes(b)) => {
                let mut packed = message.inner(b);
                while !packed.bytes.is_empty() && shape.len() <= MAX_RANK {
                    shape.push(packed.varint()?);
                }
            }
            // TensorProto.data_type
            (2, Field::Number(n)) => kind = n,
            // TensorProto.float_data (packed) and raw_data are both little-endian floats.
            (4 | 9, Field::Bytes(b)) => raw = b,
            _ => {}
        }
        if shape.len() > MAX_RANK {
            return Err(message.fail(format!("{name} has more than {MAX_RANK} dimensions")));
        }
    }
    if kind != FLOAT {
        return Err(message.fail(format!("{name} holds elements of type {kind}, not floats")));
    }
    let elements = shape.iter().try_fold(4u64, |n, d| n.checked_mul(*d));
    if elements != Some(raw.len() as u64) {
        return Err(message.fail(format!("{name} declares shape {shape:?} but {} bytes", raw.len())));
    }
    let values = raw
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    Ok(Constant {
        name: name.to_owned(),
        shape: shape.into_iter().map(|d| d as usize).collect(),
        values,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn varint(mut n: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    }

    fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
        [
            varint(number << 3 | 2),
            varint(content.len() as u64),
            content.to_vec(),
        ]
        .concat()
    }

    fn number(field: u64, value: u64) -> Vec<u8> {
        [varint(field << 3), varint(value)].concat()
    }

    /// A `Constant` node.
    pub(crate) fn constant(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims: Vec<u8> = shape.iter().flat_map(|d| number(1, *d as u64)).collect();
        let tensor = [dims, number(2, FLOAT), bytes(9, &raw)].concat();
        [
            bytes(2, name.as_bytes()),
            bytes(4, b"Constant"),
            bytes(5, &[bytes(1, b"value"), bytes(5, &tensor)].concat()),
        ]
        .concat()
    }

    /// A model whose only node is an `If` with these nodes in its branch.
    pub(crate) fn model_with_branch(nodes: &[Vec<u8>]) -> Vec<u8> {
        let branch: Vec<u8> = nodes.iter().flat_map(|n| bytes(1, n)).collect();
        let conditional = [bytes(2, b"out"), bytes(5, &bytes(6, &branch))].concat();
        [number(1, 8), bytes(7, &bytes(1, &conditional))].concat()
    }

    #[test]
    fn constants_in_branches_are_found_by_name() {
        let model = model_with_branch(&[
            constant("a.w", &[2, 1], &[1.5, -2.0]),
            constant("b", &[1], &[0.0]),
        ]);
        let found = constants(&model, "m.onnx", &|n| n.starts_with("a.")).unwrap();
        assert_eq!(
            found,
            [Constant {
                name: "a.w".into(),
                shape: vec![2, 1],
                values: vec![1.5, -2.0]
            }]
        );
    }

    #[test]
    fn a_shape_that_does_not_fit_its_data_is_refused() {
        let model = model_with_branch(&[constant("a", &[3], &[1.0])]);
        let e = constants(&model, "m.onnx", &|_| true).unwrap_err().to_string();
        assert!(
            e.contains("declares shape [3] but 4 bytes") && e.contains("m.onnx"),
            "{e}"
        );
        let huge = model_with_branch(&[constant("a", &[usize::MAX, usize::MAX], &[1.0])]);
        assert!(constants(&huge, "m.onnx", &|_| true).is_err());
    }

    #[test]
    fn endless_nesting_is_refused() {
        let mut g = bytes(1, &constant("a", &[1], &[1.0]));
        for _ in 0..20 {
            g = bytes(1, &bytes(5, &bytes(6, &g)));
        }
        let e = constants(&bytes(7, &g), "m", &|_| true).unwrap_err().to_string();
        assert!(e.contains("nested"), "{e}");
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(noise: Vec<u8>, at: proptest::sample::Index, flip in 1u8..) {
            let _ = constants(&noise, "m", &|_| true);
            let mut model = model_with_branch(&[constant("a", &[2, 2], &[0.0; 4])]);
            let i = at.index(model.len());
            model[i] ^= flip;
            let _ = constants(&model, "m", &|_| true);
        }
    }
}
