// Time as Swift has it (seconds) and as the bridge has it (whole milliseconds).

import Foundation

extension Date {
  init(milliseconds: Int64) {
    self.init(timeIntervalSince1970: TimeInterval(milliseconds) / 1000)
  }
}

extension Int64 {
  /// A duration in milliseconds; what no number can hold becomes zero or the longest.
  init(milliseconds seconds: TimeInterval) {
    let milliseconds = (seconds * 1000).rounded()
    if milliseconds.isNaN {
      self = 0
    } else {
      self = Int64(exactly: milliseconds) ?? (milliseconds > 0 ? .max : .min)
    }
  }
}
