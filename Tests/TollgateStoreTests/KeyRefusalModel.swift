import TollgateCore

/// The rule of `admit.lua` for secret keys once more, in Swift: what the script is compared with.
extension KeyRecord {
    /// Why a call with a secret of the hash `presented` is refused, if it is. Nil when it may pass.
    func refusal(
        of presented: KeyHash, requiring required: [KeyScope], from client: IPAddress? = nil, at time: UnixTime
    ) -> KeyRefusal? {
        guard presented == hash || presented == previous?.hash else { return .unknown }
        guard status == .active else { return .revoked }
        guard !isExpired(at: time) else { return .expired }
        if presented != hash, let previous, previous.until.seconds <= time.seconds { return .expired }
        if let allowed = terms.allowedIPs, !(client.map(allowed.contains) ?? false) { return .addressNotAllowed }
        let isGranted = terms.scopes.contains(.all) || required.allSatisfy(terms.scopes.contains)
        return isGranted ? nil : .scopeMissing
    }
}
