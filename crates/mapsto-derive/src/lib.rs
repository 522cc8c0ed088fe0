//! Derives mapsto's `Module`, in which a struct visits its fields by name, and `Collate`, in which it is put into batches by field.

mod collate;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Index, Path, Type, WherePredicate, parse_quote};

/// Implements `Module` for a struct or enum by visiting its fields in order under their own names.
///
/// The derive looks at names, never at types: every field's type must itself be a `Module`, as are `Param`, `State`,
/// every layer, numbers, `String`, and options, vectors, arrays and tuples of modules. Fields of a tuple
/// struct are named `0`, `1`, …; an enum visits the fields of the variant it is.
///
/// * `#[module(skip)]` on a field leaves it out, for types that are not modules.
/// * `#[module(crate = path)]` on the type says where `Module` lives; without it, `::mapsto::nn`. The crates below the
///   façade write `#[module(crate = mapsto_nn)]`.
///
/// ```text
/// #[derive(Module)]
/// struct Block { fc1: Linear, fc2: Linear, #[module(skip)] kind: MyEnum }
/// ```
#[proc_macro_derive(Module, attributes(module))]
pub fn module(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    derive(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Implements `Collate` and `Rows` for a struct whose fields are tensors, `Ragged` or such structs: a batch has the type of a sample.
///
/// `#[collate(crate = path)]` says where `Collate` lives; without it, `::mapsto::data`.
///
/// ```text
/// #[derive(Clone, Collate)]
/// struct Triplet { anchor: Tensor, positive: Tensor, negative: Tensor }
/// ```
#[proc_macro_derive(Collate, attributes(collate))]
pub fn collate(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    collate::derive(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn derive(mut input: DeriveInput) -> Result<TokenStream, Error> {
    let nn = crate_path(&input, "module", parse_quote!(::mapsto::nn))?;
    let (arms, types) = match &input.data {
        Data::Struct(data) => {
            let name = &input.ident;
            let (arm, types) = arm(&nn, quote!(#name), &data.fields)?;
            (vec![arm], types)
        }
        Data::Enum(data) => {
            let (mut arms, mut types) = (Vec::new(), Vec::new());
            for variant in &data.variants {
                let name = &variant.ident;
                let (arm, more) = self::arm(&nn, quote!(Self::#name), &variant.fields)?;
                arms.push(arm);
                types.extend(more);
            }
            (arms, types)
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union cannot be a module: which field is alive is unknown",
            ));
        }
    };
    let (shared, unique): (Vec<_>, Vec<_>) = arms.iter().map(|a| (&a.shared, &a.unique)).unzip();

    // Bounds stand on the fields' types, not on the type parameters: `PhantomData<T>` asks nothing of `T`.
    let generic = !input.generics.params.is_empty();
    if generic {
        let clause = input.generics.make_where_clause();
        clause.predicates.extend(types.iter().map(|ty| -> WherePredicate { parse_quote!(#ty: #nn::Module) }));
    }
    let name = &input.ident;
    let (generics, arguments, clause) = input.generics.split_for_impl();
    // A reference to an enum without variants still needs an arm.
    let empty = arms.is_empty().then(|| quote!(_ => {}));
    // Whether the type is a layer with `Clone` is known here for one type, not for all that parameters may make of it.
    let one_type = !input.generics.params.iter().any(|p| !matches!(p, syn::GenericParam::Const(_)));
    let boxed_clone = one_type.then(|| {
        quote! {
            fn boxed_clone(&self) -> ::core::option::Option<#nn::derived::Box<dyn #nn::Layer>> {
                #[allow(unused_imports)]
                use #nn::derived::NotCloned as _;
                #nn::derived::Cloner(self).boxed_clone()
            }
        }
    });
    // The same holds for whether a field's type is a layer.
    let looks = arms.iter().map(|a| &a.looks);
    let layers_of_fields = one_type.then(|| {
        quote! {
            fn layers_of_fields(&self) -> #nn::derived::Vec<(#nn::derived::String, &dyn #nn::Layer)> {
                #[allow(unused_imports)]
                use #nn::derived::NoLayer as _;
                #[allow(unused_mut)]
                let mut __layers = #nn::derived::Vec::new();
                match self { #(#looks)* #empty }
                __layers
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #generics #nn::Module for #name #arguments #clause {
            fn visit(
                &self,
                __path: &mut #nn::Path,
                __f: &mut dyn ::core::ops::FnMut(&#nn::Path, #nn::Item<'_>),
            ) {
                match self { #(#shared)* #empty }
            }

            fn visit_mut(
                &mut self,
                __path: &mut #nn::Path,
                __f: &mut dyn ::core::ops::FnMut(&#nn::Path, #nn::ItemMut<'_>),
            ) {
                match self { #(#unique)* #empty }
            }

            #boxed_clone
            #layers_of_fields
        }
    })
}

/// The path under which the generated code finds its trait: `usual`, unless the attribute says another.
fn crate_path(input: &DeriveInput, attribute: &str, usual: Path) -> Result<Path, Error> {
    let mut path = usual;
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident(attribute)) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("unknown option; on a type only `crate = path` is known"));
            }
            path = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        })?;
    }
    Ok(path)
}

/// The match arms of a struct or variant: one that looks, one that may write, one that lists layers.
struct Arm {
    shared: TokenStream,
    unique: TokenStream,
    looks: TokenStream,
}

fn arm(nn: &Path, name: TokenStream, fields: &Fields) -> Result<(Arm, Vec<Type>), Error> {
    let (mut pattern, mut types) = (TokenStream::new(), Vec::new());
    let (mut shared, mut unique, mut looks) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
    for (i, field) in fields.iter().enumerate() {
        if is_skipped(field)? {
            continue;
        }
        let binding = format_ident!("__field{i}");
        let key = match &field.ident {
            Some(ident) => quote!(#ident),
            None => {
                let index = Index { index: i as u32, span: Span::call_site() };
                quote!(#index)
            }
        };
        pattern.extend(quote!(#key: #binding,));
        let segment = match &field.ident {
            Some(ident) => unraw(ident),
            None => quote!(#i),
        };
        let label = field.ident.as_ref().map_or_else(|| i.to_string().to_token_stream(), unraw);
        shared.extend(quote!(__path.enter(#segment, |__path| #nn::Module::visit(#binding, __path, __f));));
        unique
            .extend(quote!(__path.enter(#segment, |__path| #nn::Module::visit_mut(#binding, __path, __f));));
        looks.extend(quote! {
            if let ::core::option::Option::Some(__layer) = #nn::derived::AsLayer(#binding).as_layer() {
                __layers.push((#nn::derived::String::from(#label), __layer));
            }
        });
        types.push(field.ty.clone());
    }
    Ok((
        Arm {
            shared: quote!(#name { #pattern .. } => { #shared }),
            unique: quote!(#name { #pattern .. } => { #unique }),
            looks: quote!(#name { #pattern .. } => { #looks }),
        },
        types,
    ))
}

/// A raw identifier's name without its `r#`, as the path shows it.
fn unraw(ident: &Ident) -> TokenStream {
    let text = ident.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);
    quote!(#text)
}

fn is_skipped(field: &Field) -> Result<bool, Error> {
    let mut skipped = false;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("skip") {
                return Err(meta.error("unknown option; on a field only `skip` is known"));
            }
            skipped = true;
            Ok(())
        })?;
    }
    Ok(skipped)
}
