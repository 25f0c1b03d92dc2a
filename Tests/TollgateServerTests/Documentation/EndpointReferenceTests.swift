import TestSupport
import Testing

/// The tables of endpoints have each one that a port answers, and no other. Read from the lines that register them.
@Suite struct EndpointReferenceTests {
    /// `METHOD /path`, in the first column.
    private static func documented() throws -> Set<String> {
        let spans = try ReferencePage("Reference/Endpoints").rows.flatMap { ReferencePage.code(in: $0[0]) }
        return Set(spans.filter { $0.firstMatch(of: /^[A-Z]+ \//) != nil })
    }

    private static func registered() throws -> Set<String> {
        var endpoints: Set<String> = []
        for text in try ReferencePage.productionSources().values {
            // A path that has a name of its own, for others to know.
            let named = text.firstMatch(of: /static let path = "([^"]+)"/).map { String($0.1) }
            for match in text.matches(of: /\.init\(\s*method: \.(\w+), path: (?:"([^"\\]+)"|Self\.path)/) {
                let path = try #require(match.2.map(String.init) ?? named)
                endpoints.insert(match.1.uppercased() + " " + path)
            }
            for match in text.matches(of: /router\.(get|post|put|delete)\("([^"]+)"\)/) {
                endpoints.insert(match.1.uppercased() + " " + match.2)
            }
        }
        return endpoints
    }

    @Test func endpointsAreThoseOfTheProgram() throws {
        // It leads to the overview, and stands with that.
        let registered = try Self.registered().subtracting(["GET /"])
        #expect(registered.count > 15, "the endpoints were not found")
        let documented = try Self.documented()
        #expect(registered.subtracting(documented) == [], "add these to Reference/Endpoints.md")
        #expect(documented.subtracting(registered) == [], "there are no such endpoints")
    }
}
