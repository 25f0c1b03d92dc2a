import StripeBilling
import Testing

/// Forms as Stripe's SDKs write them.
@Suite struct FormValueTests {
    @Test(
        arguments: [
            (["mode": "subscription", "quantity": 1], "mode=subscription&quantity=1"),
            (["a": ["b": ["c": "d"]]], "a[b][c]=d"),
            (
                ["items": [["price": "p", "quantity": 2], ["price": "q"]]],
                "items[0][price]=p&items[0][quantity]=2&items[1][price]=q"
            ),
            (["expand": ["x", "y"]], "expand[0]=x&expand[1]=y"),
            (["yes": true, "no": false], "yes=true&no=false"),
            (["a": FormValue(nil), "b": "", "c": [], "d": [:], "e": ["f": .absent]], "b="),
            (["a": "two words", "b": "1+1=2&3"], "a=two+words&b=1%2B1%3D2%263"),
            (
                ["url": "https://a.example/x?id={CHECKOUT_SESSION_ID}"],
                "url=https%3A%2F%2Fa.example%2Fx%3Fid%3D%7BCHECKOUT_SESSION_ID%7D"
            ),
            (["a": "é~-._*\n"], "a=%C3%A9~-._%2A%0A"),
            (["a b": ["c&d": "e"]], "a+b[c%26d]=e"),
        ] as [(FormValue, String)])
    func encoding(_ form: FormValue, _ text: String) {
        #expect(form.encoded == text)
    }
}
