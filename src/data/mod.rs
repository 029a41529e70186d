//! Data on the host.
/// stub
#[derive(Clone, Debug)]
pub struct Bags {
    offsets: Vec<u32>,
    indices: Vec<u32>,
    values: Option<Vec<f32>>,
    width: usize,
}
#[allow(missing_docs)]
impl Bags {
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn width(&self) -> usize {
        self.width
    }
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }
    pub fn values(&self) -> Option<&[f32]> {
        self.values.as_deref()
    }
    pub fn row(&self, i: usize) -> (&[u32], Option<&[f32]>) {
        let r = self.offsets[i] as usize..self.offsets[i + 1] as usize;
        (&self.indices[r.clone()], self.values.as_ref().map(|v| &v[r]))
    }
}
