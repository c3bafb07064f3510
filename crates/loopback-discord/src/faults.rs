//! Faults of REST that a test orders: answers that come late, are refused, rate limited or never come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RestFault {
    /// 429, to be tried again after this long.
    TooMany {
        /// How long to wait.
        retry_after: Duration,
        /// Whether the limit is the one over all routes.
        global: bool,
    },
    /// Any other refusal, such as 500 or 503.
    Status(u16),
    /// The answer comes this much later.
    Late(Duration),
    /// The connection breaks before an answer.
    Cut,
}

#[derive(Debug)]
struct Order {
    method: Option<String>,
    path: String,
    fault: RestFault,
    left: u32,
}

/// The orders that wait.
#[derive(Debug, Default)]
pub struct RestFaults {
    orders: Mutex<Vec<Order>>,
}

impl RestFaults {
    /// Orders `fault` for the next `times` requests whose path contains `path`, and whose method is `method` if one is given.
    pub fn order(&self, method: Option<&str>, path: &str, fault: RestFault, times: u32) {
        let order = Order {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            fault,
            left: times,
        };
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order);
    }

    /// Forgets what was ordered and has not happened yet.
    pub fn clear(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn take(&self, method: &str, path: &str) -> Option<RestFault> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |o: &&mut Order| o.method.as_deref().is_none_or(|m| m == method) && path.contains(&o.path);
        let order = orders.iter_mut().find(fits)?;
        order.left = order.left.saturating_sub(1);
        let fault = order.fault.clone();
        orders.retain(|o| o.left > 0);
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_hits_what_it_names_as_often_as_it_says() {
        let faults = RestFaults::default();
        faults.order(Some("POST"), "/messages", RestFault::Status(503), 2);
        assert_eq!(faults.take("GET", "/channels/1/messages"), None);
        assert_eq!(faults.take("POST", "/users"), None);
        for _ in 0..2 {
            assert_eq!(
                faults.take("POST", "/channels/1/messages"),
                Some(RestFault::Status(503))
            );
        }
        assert_eq!(faults.take("POST", "/channels/1/messages"), None);
    }
}
