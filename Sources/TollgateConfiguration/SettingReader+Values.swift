import FoundationEssentials
import TollgateCore

extension SettingReader {
    /// The text of a setting. Nil when it is not given.
    func text(_ setting: Setting) -> String? { find(setting)?.text }

    /// The value of a setting that has a default and a range.
    mutating func integer(_ setting: Setting) -> Int {
        guard case .integer(let range) = setting.kind, let found = find(setting) else { return 0 }
        if let value = Int(found.text), range.contains(value) { return value }
        if found.text.isKubernetesServiceLink {
            let service = setting.name.dropLast("_PORT".count).lowercased().replacing("_", with: "-")
            report(
                found, "was put there by Kubernetes for a Service named '\(service)'",
                remedy: "Set `enableServiceLinks: false` in the pod's spec, or rename the Service.")
        } else {
            report(
                found, "is not a whole number from \(range.lowerBound) to \(range.upperBound)",
                remedy: "Give such a number.")
        }
        return range.lowerBound
    }

    /// As ``integer(_:)``, of a setting without a constant default. Nil when it is not given.
    mutating func optionalInteger(_ setting: Setting) -> Int? { find(setting) == nil ? nil : integer(setting) }

    /// The parts of a list. Empty when it is not given.
    func list(_ setting: Setting) -> [String] { text(setting)?.commaSeparated ?? [] }

    /// The absolute path of a file that can be read. Nil when none is given.
    mutating func readableFile(_ setting: Setting, in directory: String) -> String? {
        guard let found = find(setting) else { return nil }
        let path = absolutePath(found.text, in: directory)
        if FileManager.default.contents(atPath: path) == nil {
            report(found, "cannot be read", remedy: "Give the path of a file that the gateway may read.")
        }
        return path
    }

    /// A list of IP addresses and networks.
    mutating func networks(_ setting: Setting) -> NetworkList {
        guard let found = find(setting) else { return .empty }
        let texts = found.text.commaSeparated
        for text in texts where NetworkList([text]) == nil {
            report(
                Found(setting: setting, text: text, place: found.place), "is no network",
                remedy: "Give addresses such as 192.0.2.1, and networks such as 10.0.0.0/8 or 2001:db8::/32.")
        }
        if texts.count > NetworkList.maximumCount {
            report(
                found, "has \(texts.count) networks", remedy: "At most \(NetworkList.maximumCount) are possible.")
        }
        return NetworkList(texts) ?? .empty
    }

    /// An address to listen on.
    mutating func host(_ setting: Setting) -> String {
        guard let found = find(setting) else { return "" }
        let isIPv6 = found.text.count(where: { $0 == ":" }) > 1
        let allowed = found.text.utf8.allSatisfy { byte in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber || "._-%".contains(character))
                || isIPv6 && character == ":"
        }
        if !allowed {
            report(found, "is no address to listen on", remedy: "Give an IP address or host name, without a port.")
        }
        return found.text
    }

    /// An `http://` or `https://` URL. Nil when it is not given or wrong.
    mutating func webURL(_ setting: Setting) -> (url: WebURL, text: String)? {
        guard let found = find(setting) else { return nil }
        do throws(WebURL.Problem) {
            let url = try WebURL(found.text)
            if url.isHTTP { return (url, found.text) }
            report(found, "is no web address", remedy: "Begin it with https:// or http://.")
        } catch {
            report(found, error.rawValue, remedy: "Give an address such as https://example.com.")
        }
        return nil
    }

    /// The base of an API, without a slash at its end. Empty when it is wrong.
    mutating func apiURL(_ setting: Setting) -> String {
        guard let (url, _) = webURL(setting) else { return "" }
        if url.rest.contains("?"), let found = find(setting) {
            report(found, "has a query", remedy: "Give the part before the '?'.")
        }
        return url.base
    }

    /// A list of origins as browsers write them.
    ///
    /// Schemes other than http are origins too: those of apps and of browser extensions.
    mutating func origins(_ setting: Setting) -> [String] {
        guard let found = find(setting) else { return [] }
        return found.text.commaSeparated.compactMap { origin(of: $0, in: found)?.origin }
    }

    /// Reads one origin out of the value of a setting.
    mutating func origin(of text: String, in found: Found) -> WebURL? {
        let part = Found(setting: found.setting, text: text, place: found.place)
        let remedy = "Give an origin such as https://app.example.com: scheme, host and, if need be, port."
        do throws(WebURL.Problem) {
            let url = try WebURL(text)
            if url.isOrigin { return url }
            report(part, "is more than an origin", remedy: remedy)
        } catch {
            report(part, error.rawValue, remedy: remedy)
        }
        return nil
    }
}

extension String {
    /// Kubernetes sets `NAME_PORT=tcp://10.0.0.1:8080` in every container of a namespace that has a Service `name`.
    fileprivate var isKubernetesServiceLink: Bool {
        ["tcp://", "udp://", "sctp://"].contains { hasPrefix($0) }
    }
}
