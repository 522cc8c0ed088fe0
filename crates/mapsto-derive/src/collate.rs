//! Derives mapsto's `Collate` and `Rows`: a struct is put into batches field by field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Index, parse_quote};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let data = crate::crate_path(input, "collate", parse_quote!(::mapsto::data))?;
    let Data::Struct(fields) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "only a struct can be put into batches field by field"));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a sample with type parameters needs its own `Collate`",
        ));
    }
    let fields = &fields.fields;
    if fields.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a sample without fields has no rows"));
    }
    let name = &input.ident;
    let types: Vec<_> = fields.iter().map(|f| &f.ty).collect();
    let members: Vec<TokenStream> = fields
        .iter()
        .enumerate()
        .map(|(i, f)| match &f.ident {
            Some(ident) => quote!(#ident),
            None => {
                let index = Index::from(i);
                quote!(#index)
            }
        })
        .collect();
    let parts: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(i, f)| match &f.ident {
            Some(ident) => format!("`{}`", ident.to_string().trim_start_matches("r#")),
            None => format!("`{i}`"),
        })
        .collect();
    let gathered: Vec<_> = (0..types.len()).map(|i| format_ident!("__field{i}")).collect();
    let first = &members[0];
    Ok(quote! {
        #[automatically_derived]
        impl #data::Rows for #name {
            fn rows(&self) -> usize {
                #data::Rows::rows(&self.#first)
            }

            fn part(&self, __rows: ::core::ops::Range<usize>) -> Self {
                #name { #(#members: #data::Rows::part(&self.#members, ::core::clone::Clone::clone(&__rows)),)* }
            }

            fn each_tensor(&self, __see: &mut dyn ::core::ops::FnMut(&#data::derived::Tensor)) {
                #(#data::Rows::each_tensor(&self.#members, __see);)*
            }
        }

        #[automatically_derived]
        impl #data::Collate for #name {
            type Batch = #name;

            fn collate_named(
                __samples: #data::derived::Vec<Self>,
                __names: &#data::Names<'_>,
            ) -> #data::derived::Result<Self> {
                #(let mut #gathered: #data::derived::Vec<#types> = #data::derived::Vec::with_capacity(__samples.len());)*
                for __sample in __samples {
                    #(#gathered.push(__sample.#members);)*
                }
                ::core::result::Result::Ok(#name {
                    #(#members: <#types as #data::derived::Field>::gather(#gathered, &__names.part(#parts))?,)*
                })
            }
        }
    })
}
