//! A list that is usually short: its first items are on the stack, so that a plan for an ordinary flight takes no
//! allocation. Longer ones move to the heap.

use core::ops::Deref;

/// Up to `N` items without allocation.
#[derive(Clone, Debug)]
pub(crate) struct Few<T, const N: usize> {
    /// The items as long as there are no more than fit; places that are not used hold copies of the first.
    inline: Option<[T; N]>,
    len: usize,
    /// All items, once there are more.
    spilled: Vec<T>,
}

impl<T, const N: usize> Few<T, N> {
    /// Without items.
    pub(crate) const fn new() -> Self {
        Self { inline: None, len: 0, spilled: Vec::new() }
    }
}

impl<T: Copy, const N: usize> Few<T, N> {
    /// Adds an item at the end.
    pub(crate) fn push(&mut self, item: T) {
        match &mut self.inline {
            None => self.inline = Some([item; N]),
            Some(inline) if self.len < N => inline[self.len] = item,
            Some(inline) => {
                if self.len == N {
                    self.spilled.reserve(4 * N);
                    self.spilled.extend_from_slice(inline);
                }
                self.spilled.push(item);
            }
        }
        self.len += 1;
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.inline {
            Some(inline) if self.len <= N => &inline[..self.len],
            _ => &self.spilled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_in_order_on_the_stack_and_beyond() {
        let mut few = Few::<usize, 4>::new();
        for len in 0..20 {
            assert_eq!(*few, (0..len).collect::<Vec<_>>());
            few.push(len);
        }
    }
}
