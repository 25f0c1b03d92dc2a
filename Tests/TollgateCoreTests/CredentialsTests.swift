import Testing
import TollgateCore

@Suite struct CredentialsTests {
    private static let platformID = "plt_" + String(repeating: "0f", count: 16)
    private static let apiKey = "pk_live_" + String(repeating: "9a", count: 32)

    @Test func theSecretStaysOutOfDescriptions() throws {
        let credentials = try #require(Credentials(platformID: Self.platformID, apiKey: Self.apiKey))
        #expect(credentials.apiKey == Self.apiKey)
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), "\([credentials])", dumped] {
            #expect(text.contains(Self.platformID))
            #expect(!text.contains("9a9a"))
        }
    }

    private static let otherForms: [(platformID: String, apiKey: String)] = [
        ("", apiKey), (platformID, ""), (platformID + "0", apiKey), (platformID, String(apiKey.dropLast())),
        (platformID.uppercased(), apiKey), ("plt_" + String(repeating: "0F", count: 16), apiKey),
        ("plt_" + String(repeating: "é", count: 16), apiKey), ("plt-" + platformID.dropFirst(4), apiKey),
        (platformID, "pk_test_" + apiKey.dropFirst(8)), (apiKey, platformID),
    ]

    @Test(arguments: otherForms) func otherFormsAreRefused(platformID: String, apiKey: String) {
        #expect(Credentials(platformID: platformID, apiKey: apiKey) == nil)
    }
}
